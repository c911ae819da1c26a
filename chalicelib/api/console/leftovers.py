"""What the page that sets a password by a link offers to end: whoever had the old password may have left it behind.

A link that was handed over offers the same as one in mail: where no mail is sent, it is how somebody gets their account
back.
"""

from dataclasses import dataclass

from chalicelib.accounts.tables import Account
from chalicelib.accounts.tables import OneTimeToken as Ticket
from chalicelib.accounts.unfinished import Unfinished
from chalicelib.api.console.page_request import PageRequest
from chalicelib.credentials.find import keys_of
from chalicelib.credentials.tables import Credential
from chalicelib.oauth import clients
from chalicelib.oauth.tables import Client
from chalicelib.termination import password_reset
from chalicelib.webhooks import endpoints
from chalicelib.webhooks.tables import Endpoint

TICKED, CONNECTED = "end", "connected"
"""The fields of the form: the ids that are ticked, and whether connected apps are."""


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What there is to end: at most 20 keys, 50 applications and 10 webhooks, and connected apps."""

    keys: tuple[Credential, ...] = ()
    applications: tuple[Client, ...] = ()
    webhooks: tuple[Endpoint, ...] = ()
    connected: bool = False
    """Whether to offer that sessions and connected apps end."""
    ends_by_itself: bool = False
    """Whether all of it ends in any case, since this link is the first proof of the address."""

    @property
    def ids(self) -> set[str]:
        """Return the ids that can be ticked."""
        its_own = {key.id for key in self.keys} | {webhook.id for webhook in self.webhooks}
        return its_own | {client.client_id for client in self.applications}


def offered(ticket: Ticket, account: Account) -> Leftovers:
    """Return what a link offers to end; nothing for a first password, before which nobody was logged in."""
    if account.password_hash is None:
        return Leftovers()
    if ticket.email is not None and not account.is_verified:
        return Leftovers(ends_by_itself=True)
    return Leftovers(
        keys=tuple(key for key in keys_of(account.id) if key.is_live() and not account.has_ended(key.created_at)),
        applications=tuple(clients.owned_by(account.id)),
        webhooks=tuple(endpoints.of_account(account.id)),
        connected=True,
    )


def ending_of_chosen(request: PageRequest, ticket: Ticket, there: Leftovers) -> Unfinished | None:
    """Return the ending of what is ticked and was offered, not stored yet; None when that is nothing."""
    chosen = set(request.form.get(TICKED, ())) & there.ids
    if there.connected and request.text(CONNECTED):
        chosen.add(password_reset.CONNECTED)
    return password_reset.new(ticket.account_id, chosen, by=ticket.digest) if chosen else None
