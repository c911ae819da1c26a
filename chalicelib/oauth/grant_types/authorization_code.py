"""The authorization code grant: a code is exchanged for tokens (RFC 6749 §4.1.3), bound by PKCE (RFC 7636 §4.5)."""

from chalicelib.oauth import clients, exchange, pkce, redirect_uris
from chalicelib.oauth.errors import invalid_grant, invalid_request, unauthorized_client
from chalicelib.oauth.issuance import CODE_KIND, Answer
from chalicelib.oauth.tables import Ticket
from chalicelib.oauth.token_request import TokenRequest


def redeem(request: TokenRequest) -> Answer:
    """Return the tokens of a code; raise OAuthError for the first thing that is wrong.

    A request that is refused spends nothing. A spent code is checked like any other, before it counts as reuse.
    """
    parameters, client = request.parameters, request.client
    if clients.CODE not in client.grant_types:
        raise unauthorized_client(f"grant_type={clients.CODE}")
    if not parameters.get("code"):
        raise invalid_request("Missing 'code' in request.")
    code = _usable_code(request)
    if code is None:
        raise invalid_grant("Invalid 'code' in request.")
    if not _repeats_redirect_uri(code, parameters.get("redirect_uri")):
        raise invalid_grant("Invalid 'redirect_uri' in request.")
    pkce.check_verifier(parameters.get("code_verifier"), code.code_challenge, client)
    return exchange.redeem(code, request.issuance(code, set(code.scopes or ())))


def _usable_code(request: TokenRequest) -> Ticket | None:
    """Return the client's code, None when it has none that may be exchanged."""
    code, named = request.own_ticket(CODE_KIND), request.parameters.get("redirect_uri")
    if code is None:
        return None
    if named and code.redirect_uri is None and not redirect_uris.is_one_of(named, request.client.redirect_uris):
        # Stricter than the RFC: the authorization request named none, so only a registered one can be meant.
        return None
    return None if code.is_expired else code


def _repeats_redirect_uri(code: Ticket, named: str) -> bool:
    """Return whether `named`, "" when it is absent, is what the authorization request named (RFC 6749 §4.1.3).

    OAuth 2.1 §10.2 leaves it out: with PKCE the verifier binds the code to who asked. A wrong one stays wrong.
    """
    if code.redirect_uri is None or (not named and code.code_challenge is not None):
        return True
    return named == str(code.redirect_uri)
