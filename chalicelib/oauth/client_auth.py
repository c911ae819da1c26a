"""Who asks, and about which token: both read in one call, and the client's secret checked (RFC 6749 §2.3)."""

from dataclasses import dataclass

from chalicelib.core import secrets
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb import models
from chalicelib.credentials.tables import Credential
from chalicelib.oauth import clients
from chalicelib.oauth.errors import invalid_client
from chalicelib.oauth.parameters import ClientCredentials, Parameters
from chalicelib.oauth.tables import Client, Ticket

_PRESENTED_AS = {clients.CODE: "code", clients.REFRESH: "refresh_token", clients.DEVICE: "device_code"}


@dataclass(frozen=True, slots=True)
class Known:
    """An authenticated client, and what lies under the secret that came with the request, if it is one of ours."""

    client: Client
    presented: Credential | Ticket | None

    @property
    def ticket(self) -> Ticket | None:
        """Return the ticket that was presented; an access token is none."""
        return self.presented if isinstance(self.presented, Ticket) else None

    @property
    def subject(self) -> str | None:
        """Return what the client is counted as, or None where its requests count for the network they come from.

        That is a public client's, as which anyone can pose, and one's without an owner: a caller could register a
        client for every limit it wants to have.
        """
        if self.client.is_public or self.client.owner_id is None:
            return None
        return f"client_{self.client.client_id}"


def presented(parameters: Parameters) -> str:
    """Return the secret of the ticket that a request's own grant type spends, "" when it spends none.

    No other is looked at: with client_credentials a code that came along would be spent unchecked.
    """
    name = _PRESENTED_AS.get(parameters.get("grant_type"))
    return parameters.get(name) if name else ""


def authenticate(given: ClientCredentials, presented: str = "") -> Known:
    """Return the client that authenticates, and the ticket or access token whose secret is `presented`.

    Raises invalid_client when the client is unknown or ended, or its owner is, its secret is wrong, a confidential
    client sends none or a public one sends any.
    """
    client, found = _read(given.client_id, presented)
    if client is None or not client.is_active:
        raise invalid_client()
    if client.is_public:
        if given.secret is not None:
            raise invalid_client("This client has no secret to authenticate with.")
    elif given.secret is None or not clients.has_secret(client, given.secret):
        raise invalid_client()
    return Known(client, found)


def _read(client_id: str, presented: str) -> tuple[Client | None, Credential | Ticket | None]:
    """Read both at once, the token where its own kind says. What can't be an id or a secret of ours isn't asked for."""
    kind = secrets.kind_of(presented)
    model: type[Credential | Ticket] = Credential if kind == secrets.ACCESS_TOKEN_KIND else Ticket
    keys: dict[type[models.Table], dynamodb.Json] = {}
    if clients.is_client_id(client_id):
        keys[Client] = Client.item(client_id=client_id)
    if kind is not None:
        keys[model] = model.item(digest=secrets.digest(presented))
    found = models.found_at_once(keys)
    return found.get(Client), found.get(model)
