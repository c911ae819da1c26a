"""The token endpoint: each grant type is a function in a file of its own (RFC 6749 §3.2)."""

from collections.abc import Callable

from chalicelib.oauth import clients
from chalicelib.oauth.errors import OAuthError
from chalicelib.oauth.grant_types import authorization_code, client_credentials, device_code, refresh_token
from chalicelib.oauth.issuance import Answer
from chalicelib.oauth.token_request import TokenRequest

GRANTS: dict[str, Callable[[TokenRequest], Answer]] = {
    clients.CODE: authorization_code.redeem,
    clients.REFRESH: refresh_token.refresh,
    clients.CLIENT_CREDENTIALS: client_credentials.issue,
    clients.DEVICE: device_code.redeem,
}


def answer(request: TokenRequest) -> Answer:
    """Return the tokens that a request is answered with; raise OAuthError for the first thing that is wrong (§5.2)."""
    grant = GRANTS.get(request.parameters.required("grant_type"))
    if grant is None:
        raise OAuthError("unsupported_grant_type", "grant_type is unknown here.")
    return grant(request)
