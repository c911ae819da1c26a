"""The token endpoint (RFC 6749 §3.2), which calls the function for the request's grant type."""

from collections.abc import Callable

from chalicelib.oauth import clients
from chalicelib.oauth.errors import OAuthError
from chalicelib.oauth.grant_types import authorization_code, client_credentials, device_code, refresh_token
from chalicelib.oauth.issuance import TokenResponse
from chalicelib.oauth.token_request import TokenRequest

GRANTS: dict[str, Callable[[TokenRequest], TokenResponse]] = {
    clients.CODE: authorization_code.redeem,
    clients.REFRESH: refresh_token.refresh,
    clients.CLIENT_CREDENTIALS: client_credentials.issue,
    clients.DEVICE: device_code.redeem,
}


def respond(request: TokenRequest) -> TokenResponse:
    """Return the token response; raise OAuthError for an invalid request (§5.2)."""
    grant = GRANTS.get(request.parameters.require("grant_type"))
    if grant is None:
        raise OAuthError("unsupported_grant_type", "grant_type is not supported.")
    return grant(request)
