"""The client credentials grant: a token for a client in its own name (RFC 6749 §4.4)."""

from chalicelib.credentials.scopes import READ
from chalicelib.oauth import clients, exchange, resources
from chalicelib.oauth.errors import UNKNOWN_SCOPE, invalid_scope, unauthorized_client
from chalicelib.oauth.issuance import Answer, Issuance
from chalicelib.oauth.parameters import Parameters, scope_words
from chalicelib.oauth.tables import Client
from chalicelib.oauth.token_request import TokenRequest


def issue(request: TokenRequest) -> Answer:
    """Return an access token that acts for the client's owner; raise OAuthError for the first thing that is wrong."""
    client = request.client
    if clients.CLIENT_CREDENTIALS not in client.grant_types:
        raise unauthorized_client(f"grant_type={clients.CLIENT_CREDENTIALS}")
    issued = Issuance(
        client=client,
        account_id=str(client.owner_id),
        grant_id=None,
        scopes=_scopes(request.parameters, client),
        resources=resources.checked(request.parameters.every("resource"), request.base_url),
        base_url=request.base_url,
    )
    return exchange.issue_to_client(issued)


def _scopes(parameters: Parameters, client: Client) -> set[str]:
    """Return what is asked for of the client's scopes, or `read` if it may have that; raise invalid_scope (§3.3)."""
    asked, may_have = scope_words(parameters), set(client.scopes)
    if not asked:
        return may_have & {READ} or may_have
    if not asked <= clients.GRANTABLE:
        raise invalid_scope(UNKNOWN_SCOPE)
    if not asked & may_have:
        raise invalid_scope()
    return asked & may_have
