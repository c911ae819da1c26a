"""Authlib, bound to our storage: it checks what RFC 6749, 7636 and 8628 ask of a token request; we decide the rest.

Every request is a server of its own: what it may know (client, ticket) is read before, in one call, and handed in.
"""

import logging
from dataclasses import dataclass
from typing import Any

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import AuthorizationServer, ClientMixin, OAuth2Request
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant, ClientCredentialsGrant, RefreshTokenGrant
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc8628 import DeviceCodeGrant

from chalicelib.core import clock
from chalicelib.oauth import clients, device, exchange, redirect_uris, resources
from chalicelib.oauth.errors import OAuthError, invalid_grant, invalid_scope
from chalicelib.oauth.parameters import Parameters, scope_text
from chalicelib.oauth.tables import Client, Ticket

# It prints tokens at DEBUG.
logging.getLogger("authlib").setLevel(logging.WARNING)


_SAID = {
    "authorization_pending": "The person has not decided yet. Ask again after the interval.",
    "slow_down": "Asked too soon. Wait 5 seconds longer between two requests from now on.",
    "access_denied": "The person said no.",
    "expired_token": "The device code is too old. Start again.",
    "unsupported_grant_type": "grant_type is unknown here.",
}
"""What Authlib leaves unsaid, or says by repeating what was sent."""

_AT_AUTHORIZE = ("client_id", "redirect_uri", "response_type")
_AT_TOKEN = ("redirect_uri", "grant_type", "code", "code_verifier", "refresh_token", "device_code")
"""What Authlib is shown besides the scope: all that it reads."""


class KnownClient(ClientMixin):  # type: ignore[misc]  # Authlib has no types
    """A client as Authlib asks about it. Its authentication was decided before (see `authenticate`)."""

    def __init__(self, client: Client) -> None:
        self.stored = client

    def get_client_id(self) -> str:
        return self.stored.client_id

    def get_default_redirect_uri(self) -> str | None:
        return self.stored.only_redirect_uri

    def get_allowed_scope(self, scope: str) -> str | None:
        """Return what of `scope` the client may have, `read` when it names none, None when nothing is left."""
        wanted = set(scope.split()) if scope else {"read"}
        allowed = wanted & set(self.stored.scopes)
        return " ".join(sorted(allowed)) or None

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return any(redirect_uris.matches(redirect_uri, registered) for registered in self.stored.redirect_uris)

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in self.stored.grant_types


@dataclass(slots=True)
class KnownTicket:
    """A code or refresh token as Authlib asks about it. That it is spent is for our transaction to say."""

    stored: Ticket
    redirect_uri: str | None = None
    """What the token request must repeat, None where it needn't."""

    def get_redirect_uri(self) -> str | None:
        """Return the redirect URI that the token request must repeat."""
        return self.redirect_uri

    def get_scope(self) -> str:
        """Return the granted scopes."""
        return " ".join(sorted(self.stored.scopes or ()))

    def check_client(self, client: KnownClient) -> bool:
        """Tell whether it was issued to `client`."""
        return self.stored.client_id == client.stored.client_id

    @property
    def code_challenge(self) -> str | None:
        """Return the PKCE challenge."""
        return self.stored.code_challenge

    @property
    def code_challenge_method(self) -> str | None:
        """Return the PKCE method: no other is ever stored."""
        return "S256" if self.stored.code_challenge else None


@dataclass(slots=True)
class KnownDevice:
    """A device code as Authlib asks about it."""

    stored: Ticket

    def get_client_id(self) -> str:
        """Return whose it is."""
        return self.stored.client_id

    def get_scope(self) -> str:
        """Return the scopes that were asked for."""
        return " ".join(sorted(self.stored.scopes or ()))

    def get_user_code(self) -> str:
        """Return what the person was asked to type."""
        return str(self.stored.user_code)

    def is_expired(self) -> bool:
        """Tell whether the person took too long."""
        return self.stored.expires_at <= clock.now_ms()


class _Request(OAuth2Request):  # type: ignore[misc]  # as above
    def __init__(self, parameters: Parameters, names: tuple[str, ...]) -> None:
        # The URI is only looked at for its scheme; on loopback a local run has no TLS.
        super().__init__("POST", "https://latchkey.invalid/oauth/token")
        # What is empty is absent (RFC 6749 §3.2); Authlib tells the two apart.
        read = {name: parameters.get(name) for name in names} | {"scope": scope_text(parameters)}
        self.payload = BasicOAuth2Payload({name: value for name, value in read.items() if value})

    @property
    def form(self) -> dict[str, str]:
        """Return the parameters of the body."""
        form: dict[str, str] = self.payload.data
        return form


class TokenServer(AuthorizationServer):  # type: ignore[misc]  # as above
    """The token endpoint for one request."""

    def __init__(self, parameters: Parameters, client: Client, ticket: Ticket | None, *, base_url: str) -> None:
        super().__init__(scopes_supported=sorted(clients.GRANTABLE))
        self.parameters, self.known_client, self.known_ticket = parameters, KnownClient(client), ticket
        self.base_url = base_url
        self.register_grant(_Code, [CodeChallenge(required=True)])
        self.register_grant(_Refresh)
        self.register_grant(_ClientItself)
        self.register_grant(_Device)

    def answer(self) -> exchange.Answer:
        """Return the token answer; raise OAuthError with what was wrong."""
        self.parameters.required("grant_type")
        body: exchange.Answer = self.create_token_response(self.parameters)
        return body

    def authenticate_client(self, request: Any, methods: list[str], endpoint: str = "token") -> KnownClient:
        """The client was authenticated before anything was counted."""
        request.auth_method = self.known_client.stored.auth_method
        return self.known_client

    def create_oauth2_request(self, request: Parameters) -> _Request:
        return _Request(request, _AT_TOKEN)

    def generate_token(self, **_asked: Any) -> dict[str, Any]:
        """Nothing yet: tokens come to be in the transaction that stores them."""
        return {}

    def save_token(self, token: dict[str, Any], request: Any) -> None:
        """Spend the ticket and store the tokens: the one transaction."""
        token.update(self._issued(request))

    def send_signal(self, *_args: object, **_named: object) -> None:
        """Nobody listens."""

    def handle_response(self, status: int, body: Any, headers: Any) -> Any:
        return body

    def handle_error_response(self, request: Any, error: OAuth2Error) -> Any:
        description = _SAID.get(error.error) or error.get_error_description() or error.error
        raise OAuthError(error.error, description, status=error.status_code) from None

    def _issued(self, request: Any) -> exchange.Answer:
        client, ticket = self.known_client.stored, self.known_ticket
        asked = exchange.Asked(
            client=client,
            account_id=str(ticket.account_id if ticket else client.owner_id),
            grant_id=ticket.grant_id if ticket else None,
            scopes=self._scopes(request),
            resources=self._resources(),
            base_url=self.base_url,
        )
        if ticket is None:
            return exchange.for_client_itself(asked)
        if ticket.kind == exchange.REFRESH_KIND:
            return exchange.refresh(ticket, asked, self.parameters.get("refresh_token"))
        return exchange.redeem(ticket, asked, with_refresh=clients.REFRESH in client.grant_types)

    def _scopes(self, request: Any) -> set[str]:
        """Return the scopes of the new access token: those granted, or fewer (RFC 6749 §6)."""
        granted = set((self.known_ticket.scopes if self.known_ticket else self.known_client.stored.scopes) or ())
        named = request.payload.scope if not request.authorization_code else ""
        if named:
            wanted = set(named.split()) & granted
            if not wanted:
                raise invalid_scope()
            return wanted
        return granted if self.known_ticket else granted & {"read"} or granted

    def _resources(self) -> set[str]:
        """Return the resources of the new access token: those granted, or fewer (RFC 8707 §2.2)."""
        asked = resources.checked(self.parameters.every("resource"), self.base_url)
        if self.known_ticket is None:
            return asked
        granted = set(self.known_ticket.resources or ())
        # A yes to no resource by name was one to this API, not to the owner's others.
        within = asked <= granted if granted else all(resources.is_this_api(each, self.base_url) for each in asked)
        if not within:
            raise OAuthError("invalid_target", "The resource was not granted.")
        return asked or granted


class _Code(AuthorizationCodeGrant):  # type: ignore[misc]  # as above
    TOKEN_ENDPOINT_AUTH_METHODS = clients.AUTH_METHODS

    def query_authorization_code(self, code: str, client: KnownClient) -> KnownTicket | None:
        ticket = self.server.known_ticket
        if ticket is None or ticket.kind != exchange.CODE_KIND or ticket.client_id != client.stored.client_id:
            return None
        named = self.request.payload.redirect_uri
        if ticket.redirect_uri is None and named and not client.check_redirect_uri(named):
            # The first request named none, so Authlib takes any here; only a registered one can be meant.
            return None
        # One that was spent is looked at however old it is: its second use is reuse whenever it comes.
        fresh = ticket.consumed_at is not None or ticket.expires_at > clock.now_ms()
        # OAuth 2.1 leaves it out here: with PKCE the verifier binds the code to who asked. A wrong one stays wrong.
        is_needed = bool(named) or ticket.code_challenge is None
        return KnownTicket(ticket, ticket.redirect_uri if is_needed else None) if fresh else None

    def authenticate_user(self, authorization_code: KnownTicket) -> str | None:
        return authorization_code.stored.account_id

    def delete_authorization_code(self, authorization_code: KnownTicket) -> None:
        """Spent already, in the transaction."""


class _Refresh(RefreshTokenGrant):  # type: ignore[misc]  # as above
    TOKEN_ENDPOINT_AUTH_METHODS = clients.AUTH_METHODS

    def authenticate_refresh_token(self, refresh_token: str) -> KnownTicket | None:
        ticket = self.server.known_ticket
        if ticket is None or ticket.kind != exchange.REFRESH_KIND:
            return None
        return KnownTicket(ticket) if ticket.expires_at > clock.now_ms() else None

    def authenticate_user(self, refresh_token: KnownTicket) -> str | None:
        return refresh_token.stored.account_id

    def revoke_old_credential(self, refresh_token: KnownTicket) -> None:
        """Spent already, in the transaction."""


class _ClientItself(ClientCredentialsGrant):  # type: ignore[misc]  # as above
    TOKEN_ENDPOINT_AUTH_METHODS = clients.CONFIDENTIAL_METHODS


class _Device(DeviceCodeGrant):  # type: ignore[misc]  # as above
    TOKEN_ENDPOINT_AUTH_METHODS = clients.AUTH_METHODS

    def query_device_credential(self, device_code: str) -> KnownDevice:
        ticket, client = self.server.known_ticket, self.server.known_client.stored
        if ticket is None or ticket.kind != device.DEVICE_KIND or ticket.client_id != client.client_id:
            raise invalid_grant()
        return KnownDevice(ticket)

    def query_user_grant(self, user_code: str) -> tuple[str, bool] | None:
        ticket = self.server.known_ticket
        if ticket.decision is None:
            return None
        return str(ticket.account_id), ticket.decision == device.APPROVED

    def should_slow_down(self, credential: KnownDevice) -> bool:
        return device.polls_too_fast(credential.stored)


class _Authorize(AuthorizationServer):  # type: ignore[misc]  # as above
    """The authorization endpoint for one request: response type and scope, in Authlib's judgement."""

    def __init__(self, client: Client) -> None:
        super().__init__(scopes_supported=sorted(clients.GRANTABLE))
        self.known_client = KnownClient(client)
        self.register_grant(AuthorizationCodeGrant)

    def query_client(self, client_id: str) -> KnownClient:
        return self.known_client

    def create_oauth2_request(self, request: Parameters) -> _Request:
        return _Request(request, _AT_AUTHORIZE)


def granted_scopes(parameters: Parameters, client: Client) -> set[str]:
    """Return the scopes that an authorization request may be given; raise OAuthError for what it asks wrongly."""
    if parameters.required("response_type") != "code":
        raise OAuthError("unsupported_response_type", "response_type may be code only.")
    try:
        grant = _Authorize(client).get_consent_grant(parameters)
    except OAuth2Error as error:
        raise OAuthError(error.error, error.get_error_description() or error.error) from None
    return set(grant.request.scope.split())
