"""The authorization endpoint: what may be asked, where an answer may be sent, and the code that a yes is worth.

An unknown client or redirect URI is told to the person and never redirected (RFC 6749 §4.1.2.1); everything after that
goes back to the client, with `state` and `iss` (RFC 9207).
"""

import json
from dataclasses import dataclass
from urllib.parse import urlencode

from pynamodb.exceptions import TransactWriteError

from chalicelib.accounts.tables import Account
from chalicelib.core import clock, errors, secrets
from chalicelib.core.dynamodb import models
from chalicelib.credentials.scopes import READ
from chalicelib.events import kinds
from chalicelib.oauth import (
    client_documents,
    client_lifetime,
    clients,
    consent,
    grants,
    issuance,
    pkce,
    prompt,
    redirect_uris,
    resources,
)
from chalicelib.oauth.errors import UNKNOWN_SCOPE, OAuthError, invalid_request, invalid_scope
from chalicelib.oauth.parameters import Parameters, scope_words
from chalicelib.oauth.tables import Client, Grant, Ticket


@dataclass(frozen=True, slots=True)
class Asking:
    """An authorization request that may be put to a person."""

    client: Client
    redirect_uri: str
    """Where the answer goes."""
    named_uri: str | None
    """The redirect URI as the request named it: the token request must repeat it (RFC 6749 §4.1.3)."""
    state: str
    scopes: frozenset[str]
    resources: frozenset[str]
    code_challenge: str | None
    prompt: str

    @property
    def shown(self) -> str:
        """Return a digest of what the page that asks says: a decision holds for what was read, and nothing else."""
        said = [self.client.name, self.redirect_uri, sorted(self.scopes), sorted(self.resources)]
        return secrets.digest(f"consent {json.dumps(said)}")

    @property
    def allowed(self) -> set[str]:
        """Return what a yes to this is to, as it is remembered."""
        return consent.lines(self.redirect_uri, self.scopes, self.resources)

    def needs_consent(self, account: Account) -> bool:
        """Tell whether the person must be asked, or said yes to all of this before."""
        return self.prompt == prompt.ASK or not consent.is_remembered(
            account, self.client, redirect_uri=self.redirect_uri, allowed=self.allowed
        )


class NoSuchClient(errors.LatchkeyError):
    """A request that must not be redirected anywhere."""

    status, error = 400, "invalid_request"

    def __init__(self, more: str) -> None:
        """Add a sentence that says what to do, or what was wrong."""
        super().__init__(f"The application that sent you here made an invalid request. {more}")


class BackToClient(Exception):
    """The request is refused, and its client is to hear of it."""

    def __init__(self, client: Client, redirect_uri: str, location: str, message: str) -> None:
        """Take the checked redirect URI, the location with the error in its query, and the error's message."""
        super().__init__("refused, and told to the client")
        self.location = location
        """For a user who has decided; for any other, `location_for`."""
        self._client, self._redirect_uri, self._message = client, redirect_uri, message

    @property
    def client_name(self) -> str:
        """Return what its client is called."""
        return self._client.name

    def location_for(self, account: Account | None) -> str:
        """Return where whoever is logged in, if anybody is, may be sent with the error.

        Whoever registers a client chooses where its errors lead, so an unasked redirect is for clients that somebody
        answers for: a registered account, or this user, who allowed it there before (RFC 9700 §4.11.2). Raises
        NoSuchClient for any other.
        """
        if clients.has_active_owner(self._client):
            return self.location
        if account is not None and consent.is_given_at(account, self._client, self._redirect_uri):
            return self.location
        raise NoSuchClient(self._message)


def read(parameters: Parameters, base_url: str, *, admit_fetch: client_documents.Admit | None = None) -> Asking:
    """Return what a request asks. `admit_fetch` is called before a client's document is fetched; else none is.

    Raises NoSuchClient when the client or the redirect URI is not known, BackToClient for everything else.
    """
    client, redirect_uri = _who_asks(parameters, admit_fetch)
    try:
        return _read(client, redirect_uri, parameters, base_url)
    except OAuthError as error:
        # The state goes back as it came: RFC 6749 §4.1.2.1 wants the exact value, also of one that can't be taken.
        location = _location(redirect_uri, parameters.as_sent("state"), base_url, error=error)
        raise BackToClient(client, redirect_uri, location, error.message) from None


class TakenBack(Exception):
    """The yes that is remembered was taken back at this moment: the person must be asked."""


def approve(asking: Asking, account_id: str, base_url: str) -> str:
    """Return where to send the person who has said yes, with a code: one yes, one new grant, and the yes remembered.

    Raises NoSuchClient when the client was deleted meanwhile.
    """
    location = _granted(asking, account_id, base_url)
    consent.remember(account_id, asking.client.client_id, asking.allowed)
    return location


def approve_again(asking: Asking, account_id: str, base_url: str) -> str:
    """Return where to send a person whose yes is remembered, with a code.

    Raises TakenBack when it no longer is, NoSuchClient when the client was deleted meanwhile.
    """
    return _granted(asking, account_id, base_url, only_if_remembered=True)


def _granted(asking: Asking, account_id: str, base_url: str, *, only_if_remembered: bool = False) -> str:
    code = secrets.mint(issuance.CODE_KIND)
    scopes, named = set(asking.scopes), set(asking.resources)
    grant = grants.new(account_id, asking.client.client_id, scopes=scopes, resources=named)
    expires_at = clock.now_ms() + issuance.CODE_S * 1000
    ticket = Ticket(
        secrets.digest(code),
        kind=issuance.CODE_KIND,
        client_id=asking.client.client_id,
        account_id=account_id,
        grant_id=grant.id,
        granted_at=grant.created_at,
        scopes=scopes,
        resources=named or None,
        redirect_uri=asking.named_uri,
        code_challenge=asking.code_challenge,
        expires_at=expires_at,
        # Kept as long as its grant: a second use must be found whenever it comes.
        dies_at=grant.dies_at,
    )
    try:
        with models.transaction() as write:
            write.save(grant, condition=Grant.account_id.does_not_exist())
            grants.tell(write, grant, kinds.GRANT_CREATED, name=asking.client.name)
            write.save(ticket, condition=Ticket.digest.does_not_exist())
            client_lifetime.keep(write, asking.client)
            if only_if_remembered:
                consent.check_in(write, account_id, asking.client.client_id, asking.allowed)
    except TransactWriteError as error:
        if not models.refused(error):
            raise
        if only_if_remembered and consent.was_refused(error, account_id, asking.client.client_id):
            raise TakenBack from None
        raise NoSuchClient("The application that sent you here was deleted.") from None
    return _location(asking.redirect_uri, asking.state, base_url, code=code)


def refused(asking: Asking, base_url: str, error: OAuthError) -> BackToClient:
    """Return the refusal of a request that is right: the user denied it, or no page may be shown and one must be."""
    location = _location(asking.redirect_uri, asking.state, base_url, error=error)
    return BackToClient(asking.client, asking.redirect_uri, location, error.message)


def _who_asks(parameters: Parameters, admit_fetch: client_documents.Admit | None) -> tuple[Client, str]:
    """Return the client and where it is answered; raise NoSuchClient unless both are sent once and known."""
    try:
        client_id, named = parameters.get("client_id"), parameters.get("redirect_uri")
    except OAuthError as error:
        raise NoSuchClient(error.message) from None
    client = client_documents.find_client(client_id, admit=admit_fetch)
    if client is None:
        why = client_documents.problem(client_id) or "unknown client_id"
        raise NoSuchClient(f"Contact its developer ({why}).")
    return client, _redirect_uri(client, named)


def _redirect_uri(client: Client, named: str) -> str:
    if not named and client.only_redirect_uri is not None:
        return client.only_redirect_uri
    if not redirect_uris.is_one_of(named, client.redirect_uris):
        raise NoSuchClient("Contact its developer (redirect_uri is not registered).")
    return named


def _read(client: Client, redirect_uri: str, parameters: Parameters, base_url: str) -> Asking:
    if clients.CODE not in client.grant_types:
        raise OAuthError("unauthorized_client", "This client may not use authorization_code.")
    if parameters.required("response_type") != "code":
        raise OAuthError("unsupported_response_type", "response_type may be code only.")
    scopes = _scopes(client, parameters)
    if parameters.get("response_mode") not in ("", "query"):
        raise invalid_request("response_mode may be query only.")
    return Asking(
        client=client,
        redirect_uri=redirect_uri,
        named_uri=parameters.get("redirect_uri") or None,
        state=parameters.get("state"),
        scopes=frozenset(scopes),
        resources=frozenset(resources.checked(parameters.every("resource"), base_url)),
        code_challenge=pkce.requested_challenge(parameters, client),
        prompt=prompt.of(parameters),
    )


def _scopes(client: Client, parameters: Parameters) -> set[str]:
    """Return what is asked for of the client's scopes, `read` for none (RFC 6749 §3.3); raise invalid_scope."""
    asked = scope_words(parameters)
    allowed = (asked or {READ}) & set(client.scopes)
    if not asked <= clients.GRANTABLE or not allowed:
        raise invalid_scope(UNKNOWN_SCOPE)
    return allowed


def _location(
    redirect_uri: str, state: str, base_url: str, *, code: str | None = None, error: OAuthError | None = None
) -> str:
    parameters = [("code", code)] if code else []
    if error is not None:
        parameters += [("error", error.error), ("error_description", error.message)]
    if state:
        parameters.append(("state", state))
    # Put behind what was registered, not parsed and written anew: the client gets its own URI back to the letter.
    joint = "?" if "?" not in redirect_uri else "" if redirect_uri.endswith(("?", "&")) else "&"
    return f"{redirect_uri}{joint}{urlencode([*parameters, ('iss', base_url)], errors='replace')}"
