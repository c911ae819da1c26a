"""The refresh token grant (RFC 6749 §6). This module checks the request; `exchange.rotate` then replaces the refresh
token, so that each works only once (RFC 9700 §4.14.2).
"""

from chalicelib.core import clock
from chalicelib.oauth import clients, exchange
from chalicelib.oauth.errors import UNKNOWN_SCOPE, invalid_grant, invalid_request, invalid_scope, unauthorized_client
from chalicelib.oauth.issuance import REFRESH_KIND, TokenResponse
from chalicelib.oauth.parameters import Parameters, read_scope
from chalicelib.oauth.tables import OneTimeToken
from chalicelib.oauth.token_request import TokenRequest


def refresh(request: TokenRequest) -> TokenResponse:
    """Exchange a refresh token for new tokens; raise OAuthError for an invalid request.

    An invalid request doesn't consume the token. A second use of a token counts as reuse only if the request is
    otherwise valid.
    """
    if clients.REFRESH not in request.client.grant_types:
        raise unauthorized_client(f"grant_type={clients.REFRESH}")
    presented = request.parameters.get("refresh_token")
    if not presented:
        raise invalid_request("Missing 'refresh_token' in request.")
    token = request.get_own(REFRESH_KIND)
    if token is None or token.expires_at <= clock.now_ms():
        raise invalid_grant("invalid_grant")
    return exchange.rotate(token, request.issuance(token, _scopes(request.parameters, token)), presented)


def _scopes(parameters: Parameters, token: OneTimeToken) -> set[str]:
    """Return the requested scopes, by default all granted ones (RFC 6749 §6). Raises invalid_scope if one wasn't
    granted.
    """
    granted, requested = set(token.scopes or ()), read_scope(parameters)
    if not requested <= granted:
        raise invalid_scope(UNKNOWN_SCOPE)
    return requested or granted
