"""The client credentials grant: an access token for a client in its own name (RFC 6749 §4.4)."""

from chalicelib.accounts.roles import service_user_of
from chalicelib.credentials.scopes import READ
from chalicelib.oauth import clients, exchange, resources
from chalicelib.oauth.errors import UNKNOWN_SCOPE, invalid_scope, unauthorized_client
from chalicelib.oauth.issuance import Issuance, TokenResponse
from chalicelib.oauth.parameters import Parameters, read_scope
from chalicelib.oauth.tables import Client
from chalicelib.oauth.token_request import TokenRequest


def issue(request: TokenRequest) -> TokenResponse:
    """Issue an access token for the service user of the client's account; raise OAuthError for an invalid request."""
    client, account_id = request.client, str(request.client.account_id)
    if clients.CLIENT_CREDENTIALS not in client.grant_types:
        raise unauthorized_client(f"grant_type={clients.CLIENT_CREDENTIALS}")
    issued = Issuance(
        client=client,
        account_id=account_id,
        user_id=service_user_of(account_id),
        grant_id=None,
        scopes=_scopes(request.parameters, client),
        resources=resources.validate(request.parameters.get_all("resource"), request.base_url),
        base_url=request.base_url,
    )
    return exchange.issue_to_client(issued)


def _scopes(parameters: Parameters, client: Client) -> set[str]:
    """Return those requested scopes that the client may have. If none is requested, return `read`; if the client can't
    have `read`, return all of its scopes (§3.3).

    Raises invalid_scope.
    """
    requested, registered = read_scope(parameters), set(client.scopes)
    if not requested:
        return registered & {READ} or registered
    if not requested <= clients.GRANTABLE:
        raise invalid_scope(UNKNOWN_SCOPE)
    if not requested & registered:
        raise invalid_scope()
    return requested & registered
