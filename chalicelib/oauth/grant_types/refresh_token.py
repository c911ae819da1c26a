"""The refresh token grant: each refresh token works once and brings its successor (RFC 6749 §6, RFC 9700 §4.14.2)."""

from chalicelib.core import clock
from chalicelib.oauth import clients, exchange
from chalicelib.oauth.errors import UNKNOWN_SCOPE, invalid_grant, invalid_request, invalid_scope, unauthorized_client
from chalicelib.oauth.issuance import REFRESH_KIND, Answer
from chalicelib.oauth.parameters import Parameters, scope_words
from chalicelib.oauth.tables import Ticket
from chalicelib.oauth.token_request import TokenRequest


def refresh(request: TokenRequest) -> Answer:
    """Return new tokens for a refresh token; raise OAuthError for the first thing that is wrong.

    A request that is refused spends nothing. A spent token is checked like any other, before it counts as reuse.
    """
    if clients.REFRESH not in request.client.grant_types:
        raise unauthorized_client(f"grant_type={clients.REFRESH}")
    presented = request.parameters.get("refresh_token")
    if not presented:
        raise invalid_request("Missing 'refresh_token' in request.")
    token = request.own_ticket(REFRESH_KIND)
    if token is None or token.expires_at <= clock.now_ms():
        raise invalid_grant("invalid_grant")
    return exchange.rotate(token, request.issuance(token, _scopes(request.parameters, token)), presented)


def _scopes(parameters: Parameters, token: Ticket) -> set[str]:
    """Return the scopes of the access token: those granted, or fewer (RFC 6749 §6); raise invalid_scope for more."""
    granted, asked = set(token.scopes or ()), scope_words(parameters)
    if not asked <= granted:
        raise invalid_scope(UNKNOWN_SCOPE)
    return asked or granted
