"""Client authentication (RFC 6749 §2.3). One database call reads both the client and the presented token; then the
client's secret is checked.
"""

from dataclasses import dataclass

from chalicelib.core import secrets
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb import models
from chalicelib.credentials.tables import Credential
from chalicelib.oauth import clients
from chalicelib.oauth.errors import invalid_client
from chalicelib.oauth.parameters import ClientCredentials, Parameters
from chalicelib.oauth.tables import Client, OneTimeToken

_SECRET_PARAMETERS = {clients.CODE: "code", clients.REFRESH: "refresh_token", clients.DEVICE: "device_code"}


@dataclass(frozen=True, slots=True)
class AuthenticatedClient:
    """An authenticated client, and the item of the code or token that the request presented, if there is one."""

    client: Client
    presented: Credential | OneTimeToken | None

    @property
    def one_time_token(self) -> OneTimeToken | None:
        """Return the presented code or refresh token; None if the request presented an access token or nothing."""
        return self.presented if isinstance(self.presented, OneTimeToken) else None

    @property
    def subject(self) -> str | None:
        """Return the subject of the client's rate limit, or None when its requests are counted by network.

        Requests of public clients are counted by network, because anyone can use their client_id. Requests of
        self-registered clients are counted by network, because a caller could register any number of clients.
        """
        if self.client.is_public or self.client.account_id is None:
            return None
        return f"client_{self.client.client_id}"


def read_presented_secret(parameters: Parameters) -> str:
    """Return the code or refresh token that the request's grant type consumes, "" for any other grant type.

    Parameters of other grant types are ignored: a client_credentials request must not consume a code.
    """
    name = _SECRET_PARAMETERS.get(parameters.get("grant_type"))
    return parameters.get(name) if name else ""


def authenticate(credentials: ClientCredentials, presented: str = "") -> AuthenticatedClient:
    """Authenticate a client, and read the code or token whose secret is `presented`.

    Raises invalid_client when the client is unknown or not active, when a confidential client sends no secret or a
    wrong one, and when a public client sends a secret.
    """
    client, found = _read(credentials.client_id, presented)
    if client is None or not client.is_active:
        raise invalid_client()
    if client.is_public:
        if credentials.secret is not None:
            raise invalid_client("This client has no secret to authenticate with.")
    elif credentials.secret is None or not clients.has_secret(client, credentials.secret):
        raise invalid_client()
    return AuthenticatedClient(client, found)


def _read(client_id: str, presented: str) -> tuple[Client | None, Credential | OneTimeToken | None]:
    """Read the client and the presented token in one database call. The kind of the token determines its table.

    A malformed id or secret is not looked up.
    """
    kind = secrets.kind_of(presented)
    model: type[Credential | OneTimeToken] = Credential if kind == secrets.ACCESS_TOKEN_KIND else OneTimeToken
    keys: dict[type[models.Table], dynamodb.Json] = {}
    if clients.is_client_id(client_id):
        keys[Client] = Client.item(client_id=client_id)
    if kind is not None:
        keys[model] = model.item(digest=secrets.digest(presented))
    found = models.find_in_one_call(keys)
    return found.get(Client), found.get(model)
