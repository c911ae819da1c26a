"""OAuth clients: register, find and change them, and rotate their secrets (RFC 6749 §2)."""

import hmac
from collections.abc import Iterator
from dataclasses import dataclass

from pynamodb.exceptions import TransactWriteError
from pynamodb.expressions.update import Action

from chalicelib.accounts import forms, managers, roles
from chalicelib.accounts.states import ACTIVE
from chalicelib.accounts.tables import Account
from chalicelib.core import clock, errors, ids, secrets, settings
from chalicelib.core.dynamodb import models
from chalicelib.credentials import scopes
from chalicelib.events import kinds, record
from chalicelib.oauth import redirect_uris
from chalicelib.oauth.tables import Client

CLIENT_SECRET_KIND = "cs"  # noqa: S105 - a kind, not a password
GRANTABLE = frozenset({scopes.READ, scopes.WRITE})
"""The scopes that a client can have. With `keys`, a token could create API keys that outlive the consent."""
CODE, REFRESH, CLIENT_CREDENTIALS = "authorization_code", "refresh_token", "client_credentials"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
GRANT_TYPES = (CODE, REFRESH, CLIENT_CREDENTIALS, DEVICE)
SELF_REGISTRABLE = (CODE, REFRESH, DEVICE)
"""The grant types of a self-registered client. client_credentials is excluded, because the client has no account on
whose limits its requests could be counted.
"""
CONFIDENTIAL_METHODS = ("client_secret_basic", "client_secret_post")
AUTH_METHODS = (*CONFIDENTIAL_METHODS, "none")
PER_ACCOUNT_MAX = 50
_ACCOUNT = "acc_00000000000000000000#"  # as long as the beginning of `Consent.grantee`


@dataclass(frozen=True, slots=True)
class NewClient:
    """A new client and its secret, which is never shown again. A public client has no secret."""

    client: Client
    secret: str | None

    def __repr__(self) -> str:
        """Return a text without the secret, for logs and tracebacks."""
        return f"NewClient({self.client.client_id})"


def register(
    *,
    name: str,
    uris: list[str],
    auth_method: str,
    grant_types: set[str],
    wanted: set[str],
    registered_by: str,
    account_id: str | None = None,
    user_id: str | None = None,
    uri: str | None = None,
    registration_digest: str | None = None,
    dies_at: int | None = None,
    form: str | None = None,
    pkce_required: bool = False,
) -> NewClient:
    """Store a new client; `user_id` is the user who registers it for an account.

    `form` is the one-time token of the console form. It is consumed in the same transaction, so that a reload creates
    no second client. Raises InvalidRequest for a redirect URI, grant type or scope that the client can't have, Conflict
    when the account has 50 clients or the form was already submitted, NotFound when the account is not active.
    """
    public = auth_method == "none"
    if public and CLIENT_CREDENTIALS in grant_types:
        raise errors.InvalidRequest("A public client can't use client_credentials.")
    check_has_redirect_uri(grant_types, uris)
    if not wanted <= GRANTABLE:
        raise errors.InvalidRequest(f"scope may only contain {' and '.join(sorted(GRANTABLE))}.")
    secret = None if public else secrets.mint(CLIENT_SECRET_KIND)
    client = Client(
        ids.new("app"),
        name=name,
        redirect_uris=validate_redirect_uris(uris),
        grant_types=grant_types,
        scopes=wanted or set(GRANTABLE),
        auth_method=auth_method,
        registered_by=registered_by,
        created_at=clock.now_ms(),
        account_id=account_id,
        user_id=user_id,
        secret_digest=secrets.digest(secret) if secret else None,
        secret_hint=secrets.preview(secret) if secret else None,
        registration_digest=registration_digest,
        uri=uri,
        dies_at=dies_at,
        pkce_required=pkce_required or None,
    )
    used_form = None if form is None else forms.consume(form, str(account_id))
    try:
        with models.transaction() as write:
            write.save(client, condition=Client.client_id.does_not_exist())
            _increment_client_count(write, client)
            if user_id is not None:
                managers.require_role(write, Account.get(account_id, consistent_read=True), user_id, roles.ADMIN)
            record_event(write, client, kinds.APPLICATION_CREATED)
            if used_form is not None:
                forms.add_to(write, used_form)
    except TransactWriteError as error:
        if account_id is None or not models.is_condition_failure(error):
            raise
        if used_form is not None and models.find_failed_write(error, used_form) is not None:
            raise forms.already_submitted("application") from None
        if user_id is not None:
            managers.explain_role(error, account_id, user_id)
        raise _explain_rejected_count(error, account_id) from None
    return NewClient(client, secret)


def check_has_redirect_uri(grant_types: set[str], uris: list[str]) -> None:
    """Raise InvalidRequest when the grant types require a redirect URI and there is none."""
    if CODE in grant_types and not uris:
        error = redirect_uris.BadRedirectURI("A client that uses authorization_code needs a redirect URI.")
        raise error.about("redirect_uris")


def validate_redirect_uris(uris: list[str]) -> list[str]:
    """Return the redirect URIs without duplicates; raise InvalidRequest for one that can't be registered."""
    with errors.about("redirect_uris"):
        if len(uris) > redirect_uris.COUNT_MAX:
            raise redirect_uris.BadRedirectURI(f"A client can have at most {redirect_uris.COUNT_MAX} redirect URIs.")
        return [redirect_uris.validate(uri) for uri in dict.fromkeys(uris)]


def is_client_id(text: str) -> bool:
    """Return whether `text` has the format of a client id: a generated one, or the https URL of a metadata document.

    A URL that is too long isn't a client id, because it is part of a consent's sort key.
    """
    return ids.is_id(text, "app") or (text.startswith("https://") and models.can_be_range_key(_ACCOUNT + text))


def allows_metadata_documents() -> bool:
    """Return whether registration is open: only then can the URL of a metadata document be a client id.

    A document can't contain an initial access token. It is therefore not accepted where registration requires one.
    """
    return settings.current().registration == "open"


def find(client_id: str) -> Client | None:
    """Return a client by its id; None if it doesn't exist or is not active."""
    client = find_any(client_id)
    return client if client is not None and client.is_active else None


def find_any(client_id: str) -> Client | None:
    """Return a client by its id, whether or not it is active; None if it doesn't exist."""
    return Client.found(client_id) if is_client_id(client_id) else None


def get_of_account(account_id: str, client_id: str) -> Client:
    """Return a client of an account; raise NotFound when the account has no active client with this id."""
    if (client := find(client_id)) is None or client.account_id != account_id:
        raise _no_such_application()
    return client


def list_of_account(account_id: str) -> Iterator[Client]:
    """Yield the clients of an account, oldest first."""
    yield from (client for client in Client.by_account.query(account_id) if client.deleted_at is None)


def has_active_account(client: Client) -> bool:
    """Return whether an active account registered the client."""
    account = Account.found(client.account_id) if client.registered_by == "account" and client.account_id else None
    return account is not None and account.status == ACTIVE


def has_secret(client: Client, secret: str) -> bool:
    """Return whether `secret` is the client's secret."""
    return client.secret_digest is not None and hmac.compare_digest(client.secret_digest, secrets.digest(secret))


def rotate_secret(client: Client) -> str:
    """Replace the secret of a confidential client and return the new one. The old secret is invalid immediately.

    Raises Conflict when the client was deleted or its secret rotated concurrently.
    """
    secret = secrets.mint(CLIENT_SECRET_KIND)
    changed = errors.Conflict("The application was changed in the meantime. Reload it and try again.")
    digest, hint = secrets.digest(secret), secrets.preview(secret)
    with models.raise_on_condition_failure(changed), models.transaction() as write:
        write.update(
            Client(client.client_id),
            actions=[Client.secret_digest.set(digest), Client.secret_hint.set(hint)],
            # If two concurrent rotations both succeeded, one of them would show a secret that doesn't work.
            condition=Client.deleted_at.does_not_exist() & (Client.secret_digest == client.secret_digest),
        )
        record_event(write, client, kinds.APPLICATION_SECRET_ROTATED)
    client.secret_digest, client.secret_hint = digest, hint
    return secret


def update(client: Client, *, name: str, uris: list[str], pkce_required: bool | None = None) -> None:
    """Change a client's name, redirect URIs and, unless `pkce_required` is None, whether the client must use PKCE.

    Raises InvalidRequest for a redirect URI that can't be registered, NotFound when the client was deleted.
    """
    validated = validate_redirect_uris(uris)
    pkce: list[Action] = [] if pkce_required is None else [Client.pkce_required.set(pkce_required)]
    with models.raise_on_condition_failure(_no_such_application()), models.transaction() as write:
        write.update(
            Client(client.client_id),
            actions=[Client.name.set(name), Client.redirect_uris.set(validated), *pkce],
            condition=Client.deleted_at.does_not_exist() & Client.created_at.exists(),
        )
        client.name, client.redirect_uris = name, validated
        record_event(write, client, kinds.APPLICATION_CHANGED)


def _increment_client_count(write: models.Transaction, client: Client) -> None:
    """Add the increment of the account's number of clients to a transaction, which fails if the limit is reached."""
    if client.account_id is None:
        return
    count = Account.applications
    is_below_limit = count.does_not_exist() | (count < PER_ACCOUNT_MAX)
    write.update(
        Account(client.account_id),
        actions=[count.add(1)],
        condition=(Account.status == ACTIVE) & is_below_limit,
        return_values="ALL_OLD",
    )


def _explain_rejected_count(error: TransactWriteError, account_id: str) -> errors.LatchkeyError:
    account = models.find_failed_write(error, Account(account_id))
    if not account or account["status"]["S"] != ACTIVE:
        return errors.NotFound("There is no such account.")
    return errors.Conflict(f"An account can have at most {PER_ACCOUNT_MAX} applications. Delete one first.")


def record_event(
    write: models.Transaction, client: Client, kind: str, *, actor: str = "", reason: str | None = None
) -> None:
    """Add an event to a transaction if an account registered the client. Any other client has no account."""
    details = {"application": client.client_id, "name": client.name}
    if client.account_id is not None:
        record.add_to(write, client.account_id, kind, details, actor=actor, reason=reason)


def _no_such_application() -> errors.NotFound:
    return errors.NotFound("There is no such application.")
