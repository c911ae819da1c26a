"""OAuth applications: registering, finding, authenticating and deleting them."""

import hmac
from collections.abc import Iterator
from dataclasses import dataclass

from pynamodb.exceptions import TransactWriteError
from pynamodb.expressions.update import Action

from chalicelib.accounts import forms
from chalicelib.accounts.states import ACTIVE
from chalicelib.accounts.tables import Account
from chalicelib.core import clock, errors, ids, secrets, settings
from chalicelib.core.dynamodb import models
from chalicelib.credentials import scopes
from chalicelib.events import kinds, record
from chalicelib.oauth import redirect_uris
from chalicelib.oauth.tables import Client

CLIENT_SECRET_KIND = "cs"  # noqa: S105 - a kind, no password
GRANTABLE = frozenset({scopes.READ, scopes.WRITE})
"""A token must never be able to make keys that outlive the consent."""
CODE, REFRESH, CLIENT_CREDENTIALS = "authorization_code", "refresh_token", "client_credentials"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
GRANT_TYPES = (CODE, REFRESH, CLIENT_CREDENTIALS, DEVICE)
SELF_REGISTRABLE = (CODE, REFRESH, DEVICE)
"""Without client_credentials: a client that registers itself has no account, on which its own requests could count."""
CONFIDENTIAL_METHODS = ("client_secret_basic", "client_secret_post")
AUTH_METHODS = (*CONFIDENTIAL_METHODS, "none")
OWNED_MAX = 50


@dataclass(frozen=True, slots=True)
class Registered:
    """A new client and, this once, its secret; None for a public one."""

    client: Client
    secret: str | None

    def __repr__(self) -> str:
        """Leave the secret out of logs and tracebacks."""
        return f"Registered({self.client.client_id})"


def register(
    *,
    name: str,
    uris: list[str],
    auth_method: str,
    grant_types: set[str],
    wanted: set[str],
    registered_by: str,
    owner_id: str | None = None,
    uri: str | None = None,
    registration_digest: str | None = None,
    dies_at: int | None = None,
    form: str | None = None,
    pkce_required: bool = False,
) -> Registered:
    """Store a new client.

    `form` is the ticket of the form it was asked for with: it is spent with it, so a reload makes no second one. Raises
    InvalidRequest for a redirect URI, grant type or scope that it can't have, Conflict when its owner has 50 or
    the form was used already, NotFound when its owner is no active account.
    """
    public = auth_method == "none"
    if public and CLIENT_CREDENTIALS in grant_types:
        raise errors.InvalidRequest("A public client has no credentials to use client_credentials with.")
    check_uris_for(grant_types, uris)
    if not wanted <= GRANTABLE:
        raise errors.InvalidRequest(f"scope may hold {' and '.join(sorted(GRANTABLE))} only.")
    secret = None if public else secrets.mint(CLIENT_SECRET_KIND)
    client = Client(
        ids.new("app"),
        name=name,
        redirect_uris=checked_uris(uris),
        grant_types=grant_types,
        scopes=wanted or set(GRANTABLE),
        auth_method=auth_method,
        registered_by=registered_by,
        created_at=clock.now_ms(),
        owner_id=owner_id,
        secret_digest=secrets.digest(secret) if secret else None,
        secret_hint=secrets.hint(secret) if secret else None,
        registration_digest=registration_digest,
        uri=uri,
        dies_at=dies_at,
        pkce_required=pkce_required or None,
    )
    spent = None if form is None else forms.spent(form, str(owner_id))
    try:
        with models.transaction() as write:
            write.save(client, condition=Client.client_id.does_not_exist())
            _count_in(write, client)
            record_event(write, client, kinds.APPLICATION_CREATED)
            if spent is not None:
                forms.add_to(write, spent)
    except TransactWriteError as error:
        if owner_id is None or not models.refused(error):
            raise
        if spent is not None and models.refused_write(error, spent) is not None:
            raise forms.used_already("application") from None
        raise _why_not_counted(error, owner_id) from None
    return Registered(client, secret)


def check_uris_for(grant_types: set[str], uris: list[str]) -> None:
    """Raise InvalidRequest when a client has nowhere to be answered, and its grant types need that."""
    if CODE in grant_types and not uris:
        needed = redirect_uris.BadRedirectURI("A client that uses authorization_code needs a redirect URI.")
        raise needed.about("redirect_uris")


def checked_uris(uris: list[str]) -> list[str]:
    """Return redirect URIs that may be registered; raise InvalidRequest for any other."""
    with errors.about("redirect_uris"):
        if len(uris) > redirect_uris.COUNT_MAX:
            raise redirect_uris.BadRedirectURI(f"A client has at most {redirect_uris.COUNT_MAX} redirect URIs.")
        return [redirect_uris.registrable(uri) for uri in dict.fromkeys(uris)]


def is_client_id(text: str) -> bool:
    """Tell whether `text` has the shape of a client id: one of ours, or the https URL of a metadata document.

    Consents have it as their sort key: a URL that is too long for that is no one's id.
    """
    return ids.is_id(text, "app") or (text.startswith("https://") and models.can_be_range_key(text))


def documents_are_taken() -> bool:
    """Return whether the URL of a metadata document can be a client's id: only where any client may register itself.

    A document can't carry an initial token, so an operator who asks for one decides about every client, as one does who
    closed registration.
    """
    return settings.current().registration == "open"


def find(client_id: str) -> Client | None:
    """Return a client by its id, or None when there is none, or it or its owner's account has ended."""
    client = stored(client_id)
    return client if client is not None and client.is_active else None


def stored(client_id: str) -> Client | None:
    """Return what is known of a client by its id, active or not."""
    return Client.found(client_id) if is_client_id(client_id) else None


def owned(owner_id: str, client_id: str) -> Client:
    """Return an account's own client; raise NotFound when it has none of this id."""
    client = find(client_id)
    if client is None or client.owner_id != owner_id:
        raise _no_such_application()
    return client


def owned_by(owner_id: str) -> Iterator[Client]:
    """Return an account's clients, oldest first."""
    for client in Client.by_owner.query(owner_id):
        if client.deleted_at is None:
            yield client


def has_active_owner(client: Client) -> bool:
    """Return whether an account that is active answers for a client."""
    owner = Account.found(client.owner_id) if client.registered_by == "account" and client.owner_id else None
    return owner is not None and owner.status == "active"


def has_secret(client: Client, secret: str) -> bool:
    """Tell whether `secret` is the client's."""
    return client.secret_digest is not None and hmac.compare_digest(client.secret_digest, secrets.digest(secret))


def rotate_secret(client: Client) -> str:
    """Give a confidential client another secret and return it; the old one stops at once.

    Raises Conflict when the client was deleted, or its secret was rotated, at the same moment.
    """
    secret = secrets.mint(CLIENT_SECRET_KIND)
    outrun = errors.Conflict("The application was changed meanwhile. Look at it again, then repeat this.")
    digest, hint = secrets.digest(secret), secrets.hint(secret)
    with models.refused_as(outrun), models.transaction() as write:
        write.update(
            Client(client.client_id),
            actions=[Client.secret_digest.set(digest), Client.secret_hint.set(hint)],
            # Of two rotations at once one wins: the loser's page must not show a secret that never works.
            condition=Client.deleted_at.does_not_exist() & (Client.secret_digest == client.secret_digest),
        )
        record_event(write, client, kinds.APPLICATION_SECRET_ROTATED)
    client.secret_digest, client.secret_hint = digest, hint
    return secret


def change(client: Client, *, name: str, uris: list[str], pkce_required: bool | None = None) -> None:
    """Give a client another name and other redirect URIs, and say whether it must use PKCE, unless that is None.

    Raises InvalidRequest, or NotFound when it is deleted.
    """
    registrable = checked_uris(uris)
    actions: list[Action] = [Client.name.set(name), Client.redirect_uris.set(registrable)]
    if pkce_required is not None:
        actions.append(Client.pkce_required.set(pkce_required))
    with models.refused_as(_no_such_application()), models.transaction() as write:
        write.update(
            Client(client.client_id),
            actions=actions,
            condition=Client.deleted_at.does_not_exist() & Client.created_at.exists(),
        )
        client.name, client.redirect_uris = name, registrable
        record_event(write, client, kinds.APPLICATION_CHANGED)


def _count_in(write: models.Transaction, client: Client) -> None:
    """Add to a transaction: the client's owner has one more. Wins the race of two for the last place."""
    if client.owner_id is None:
        return
    count = Account.applications
    room = count.does_not_exist() | (count < OWNED_MAX)
    write.update(
        Account(client.owner_id),
        actions=[count.add(1)],
        condition=(Account.status == ACTIVE) & room,
        return_values="ALL_OLD",
    )


def _why_not_counted(error: TransactWriteError, owner_id: str) -> errors.LatchkeyError:
    shown = models.refused_write(error, Account(owner_id))
    if not shown or shown["status"]["S"] != ACTIVE:
        return errors.NotFound("There is no such account.")
    return errors.Conflict(f"An account has at most {OWNED_MAX} applications. Delete one first.")


def record_event(
    write: models.Transaction, client: Client, kind: str, *, actor: str = "", reason: str | None = None
) -> None:
    """Add an event to a transaction; what registered itself, or is a document, has no account to tell."""
    if client.owner_id is not None:
        told = {"application": client.client_id, "name": client.name}
        record.add_to(write, client.owner_id, kind, told, actor=actor, reason=reason)


def _no_such_application() -> errors.NotFound:
    return errors.NotFound("There is no such application.")
