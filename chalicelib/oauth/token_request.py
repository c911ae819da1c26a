"""A token request whose client has authenticated: what every grant type starts from (RFC 6749 §3.2)."""

from dataclasses import dataclass

from chalicelib.oauth import resources
from chalicelib.oauth.issuance import Issuance
from chalicelib.oauth.parameters import Parameters
from chalicelib.oauth.tables import Client, Ticket


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """The parameters, who sent them, and the ticket whose secret is among them."""

    parameters: Parameters
    client: Client
    ticket: Ticket | None
    base_url: str

    def own_ticket(self, kind: str) -> Ticket | None:
        """Return the presented ticket, None unless it is of this kind and was issued to this client."""
        ticket = self.ticket
        if ticket is None or ticket.kind != kind or ticket.client_id != self.client.client_id:
            return None
        return ticket

    def issuance(self, ticket: Ticket, scopes: set[str]) -> Issuance:
        """Return what `ticket` is exchanged for; raise invalid_target for a resource that was not granted."""
        asked = self.parameters.every("resource")
        return Issuance(
            client=self.client,
            account_id=str(ticket.account_id),
            grant_id=ticket.grant_id,
            scopes=scopes,
            resources=resources.narrowed(asked, set(ticket.resources or ()), self.base_url),
            base_url=self.base_url,
        )
