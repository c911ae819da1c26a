"""The authorization code grant (RFC 6749 §4.1.3) with PKCE (RFC 7636 §4.5)."""

from chalicelib.oauth import clients, exchange, pkce, redirect_uris
from chalicelib.oauth.errors import invalid_grant, invalid_request, unauthorized_client
from chalicelib.oauth.issuance import CODE_KIND, TokenResponse
from chalicelib.oauth.tables import OneTimeToken
from chalicelib.oauth.token_request import TokenRequest


def redeem(request: TokenRequest) -> TokenResponse:
    """Exchange a code for tokens; raise OAuthError for an invalid request.

    An invalid request doesn't consume the code. A second use of a code counts as reuse only if the request is otherwise
    valid.
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


def _usable_code(request: TokenRequest) -> OneTimeToken | None:
    """Return the client's code; None when it is unknown, expired, or issued to another client."""
    code, named = request.get_own(CODE_KIND), request.parameters.get("redirect_uri")
    if code is None:
        return None
    if named and code.redirect_uri is None and not redirect_uris.matches_any(named, request.client.redirect_uris):
        # Stricter than the RFC: if only the token request contains redirect_uri, it must be a registered one.
        return None
    return None if code.is_expired else code


def _repeats_redirect_uri(code: OneTimeToken, named: str) -> bool:
    """Return whether the token request's redirect_uri, `named`, is the same as in the authorization request (RFC 6749
    §4.1.3).

    `named` is "" if the token request contains none. With PKCE this is allowed, as in OAuth 2.1 §10.2, because the
    verifier binds the code to the client.
    """
    if code.redirect_uri is None or (not named and code.code_challenge is not None):
        return True
    return named == str(code.redirect_uri)
