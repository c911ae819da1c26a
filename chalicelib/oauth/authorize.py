"""The authorization endpoint: validate an authorization request (RFC 6749 §4.1).

An unknown client or redirect URI is shown as an error page and never redirected (RFC 6749 §4.1.2.1). Every other error
is redirected to the client, with `state` and `iss` (RFC 9207).
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlencode

from chalicelib.accounts.members import Membership
from chalicelib.core import errors, secrets
from chalicelib.credentials.scopes import READ
from chalicelib.oauth import (
    account_choice,
    client_documents,
    clients,
    consent,
    pkce,
    prompt,
    redirect_uris,
    resources,
)
from chalicelib.oauth.account_choice import Choice
from chalicelib.oauth.errors import UNKNOWN_SCOPE, OAuthError, invalid_request, invalid_scope
from chalicelib.oauth.parameters import Parameters, read_scope
from chalicelib.oauth.tables import Client


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A valid authorization request."""

    client: Client
    redirect_uri: str
    """The URI to which the response is redirected."""
    requested_redirect_uri: str | None
    """The redirect URI in the request, if any. The token request must repeat this URI (RFC 6749 §4.1.3)."""
    state: str
    scopes: frozenset[str]
    resources: frozenset[str]
    code_challenge: str | None
    prompt: str

    def page_digest(self, offered: list[Choice]) -> str:
        """Return a digest of the consent page's content, with the accounts that it offers. A decision is valid only for
        the content that was shown.
        """
        content = [self.client.name, self.redirect_uri, sorted(self.scopes), sorted(self.resources)]
        return secrets.digest(f"consent {json.dumps([*content, account_choice.content(offered)])}")

    def consent_entries(self, scopes: Iterable[str]) -> set[str]:
        """Return the entries that a consent to these scopes of the request stores (see `Consent.allowed`)."""
        return consent.entries(self.redirect_uri, scopes, self.resources)

    def remembered(self, offered: list[Choice]) -> list[Choice]:
        """Return those accounts for which the user has already consented to this request. If `prompt` requires the
        consent page, return none.
        """
        if self.prompt == prompt.CONSENT:
            return []
        given = consent.given([choice.membership for choice in offered], self.client)
        return [
            choice
            for choice in offered
            if consent.covers(
                given.get(choice.account_id),
                redirect_uri=self.redirect_uri,
                allowed=self.consent_entries(choice.scopes),
            )
        ]


class CannotRedirect(errors.LatchkeyError):
    """An authorization error that is shown to the user and never redirected (RFC 6749 §4.1.2.1)."""

    status, error = 400, "invalid_request"

    def __init__(self, more: str) -> None:
        """Set the message. `more` is its second sentence, which describes the error or gives advice."""
        super().__init__(f"The application that sent you here made an invalid request. {more}")


class ErrorRedirect(Exception):
    """An authorization error that is returned to the client by a redirect."""

    def __init__(self, client: Client, redirect_uri: str, location: str, message: str) -> None:
        """Store the validated redirect URI, the location with the error in its query, and the error's message."""
        super().__init__("the error is redirected to the client")
        self.location = location
        """Redirect to this location only after the user has decided. In any other case, call `location_for`."""
        self._client, self._redirect_uri, self._message = client, redirect_uri, message

    @property
    def client_name(self) -> str:
        """Return the client's name."""
        return self._client.name

    def location_for(self, memberships: Iterable[Membership]) -> str:
        """Return the location with the error. `memberships` is empty if the user isn't logged in.

        Raises CannotRedirect unless an active account registered the client, or this user has already consented to this
        client with the same recipient of the redirect. A self-registered client chooses its own redirect URI:
        redirecting to it without a decision of the user would make this server an open redirector (RFC 9700 §4.11.2).
        """
        if clients.has_active_account(self._client):
            return self.location
        if consent.is_given_at(memberships, self._client, self._redirect_uri):
            return self.location
        raise CannotRedirect(self._message)


def parse(
    parameters: Parameters, base_url: str, *, admit_fetch: client_documents.Admit | None = None
) -> AuthorizationRequest:
    """Validate an authorization request.

    `admit_fetch` is called before a client's metadata document is fetched. If it is None, no document is fetched.
    Raises CannotRedirect for an unknown client or redirect URI, ErrorRedirect for every other error.
    """
    client, redirect_uri = _resolve_client(parameters, admit_fetch)
    try:
        return _parse(client, redirect_uri, parameters, base_url)
    except OAuthError as error:
        # `state` isn't checked, because RFC 6749 §4.1.2.1 requires the response to repeat it exactly.
        location = build_location(redirect_uri, parameters.get_unchecked("state"), base_url, error=error)
        raise ErrorRedirect(client, redirect_uri, location, error.message) from None


def build_error_redirect(request: AuthorizationRequest, base_url: str, error: OAuthError) -> ErrorRedirect:
    """Return the redirect for a valid request that the user denied, or for which `prompt=none` forbids a page."""
    location = build_location(request.redirect_uri, request.state, base_url, error=error)
    return ErrorRedirect(request.client, request.redirect_uri, location, error.message)


def _resolve_client(parameters: Parameters, admit_fetch: client_documents.Admit | None) -> tuple[Client, str]:
    """Return the client and its redirect URI; raise CannotRedirect if one is unknown or sent more than once."""
    try:
        client_id, named = parameters.get("client_id"), parameters.get("redirect_uri")
    except OAuthError as error:
        raise CannotRedirect(error.message) from None
    client = client_documents.find_client(client_id, admit=admit_fetch)
    if client is None:
        reason = client_documents.url_problem(client_id) or "unknown client_id"
        raise CannotRedirect(f"Contact its developer ({reason}).")
    return client, _redirect_uri(client, named)


def _redirect_uri(client: Client, named: str) -> str:
    if not named and client.default_redirect_uri is not None:
        return client.default_redirect_uri
    if not redirect_uris.matches_any(named, client.redirect_uris):
        raise CannotRedirect("Contact its developer (redirect_uri is not registered).")
    return named


def _parse(client: Client, redirect_uri: str, parameters: Parameters, base_url: str) -> AuthorizationRequest:
    if clients.CODE not in client.grant_types:
        raise OAuthError("unauthorized_client", "This client may not use authorization_code.")
    if parameters.require("response_type") != "code":
        raise OAuthError("unsupported_response_type", "response_type may be code only.")
    scopes = _scopes(client, parameters)
    if parameters.get("response_mode") not in ("", "query"):
        raise invalid_request("response_mode may be query only.")
    return AuthorizationRequest(
        client=client,
        redirect_uri=redirect_uri,
        requested_redirect_uri=parameters.get("redirect_uri") or None,
        state=parameters.get("state"),
        scopes=frozenset(scopes),
        resources=frozenset(resources.validate(parameters.get_all("resource"), base_url)),
        code_challenge=pkce.requested_challenge(parameters, client),
        prompt=prompt.parse(parameters),
    )


def _scopes(client: Client, parameters: Parameters) -> set[str]:
    """Return the requested scopes (by default `read`, §3.3) that the client may have. Raises invalid_scope."""
    requested = read_scope(parameters)
    allowed = (requested or {READ}) & set(client.scopes)
    if not requested <= clients.GRANTABLE or not allowed:
        raise invalid_scope(UNKNOWN_SCOPE)
    return allowed


def build_location(
    redirect_uri: str, state: str, base_url: str, *, code: str | None = None, error: OAuthError | None = None
) -> str:
    """Return the redirect URI with the parameters of the response: a code or an error (RFC 6749 §4.1.2)."""
    parameters = [("code", code)] if code else []
    if error is not None:
        parameters += [("error", error.error), ("error_description", error.message)]
    if state:
        parameters.append(("state", state))
    # Append the query as text: parsing and rebuilding the URI could change the URI that the client registered.
    separator = "?" if "?" not in redirect_uri else "" if redirect_uri.endswith(("?", "&")) else "&"
    return f"{redirect_uri}{separator}{urlencode([*parameters, ('iss', base_url)], errors='replace')}"
