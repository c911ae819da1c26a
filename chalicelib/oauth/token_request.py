"""A token request of an authenticated client, the input of every grant type (RFC 6749 §3.2)."""

from dataclasses import dataclass

from chalicelib.oauth import resources
from chalicelib.oauth.issuance import Issuance
from chalicelib.oauth.parameters import Parameters
from chalicelib.oauth.tables import Client, Ticket


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """The parameters, the client, and the item of the code or refresh token that the parameters contain."""

    parameters: Parameters
    client: Client
    ticket: Ticket | None
    base_url: str

    def get_own(self, kind: str) -> Ticket | None:
        """Return the presented code or token, None unless it is of this kind and was issued to this client."""
        ticket = self.ticket
        if ticket is None or ticket.kind != kind or ticket.client_id != self.client.client_id:
            return None
        return ticket

    def issuance(self, ticket: Ticket, scopes: set[str]) -> Issuance:
        """Return the content of the tokens to issue; raise invalid_target for a resource that was not granted."""
        requested = self.parameters.every("resource")
        return Issuance(
            client=self.client,
            account_id=str(ticket.account_id),
            grant_id=ticket.grant_id,
            scopes=scopes,
            resources=resources.select_granted(requested, set(ticket.resources or ()), self.base_url),
            base_url=self.base_url,
        )
