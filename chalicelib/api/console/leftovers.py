"""Items that a user can remove while resetting a password, because an attacker who knew the old password may have
created them.

A link from an administrator offers the same items as a link in an email. If email isn't configured, an administrator's
link is the only way to recover an account.
"""

from dataclasses import dataclass

from chalicelib.accounts.pending_terminations import PendingTermination
from chalicelib.accounts.tables import Account, OneTimeToken
from chalicelib.api.console.page_request import PageRequest
from chalicelib.credentials.find import keys_of
from chalicelib.credentials.tables import Credential
from chalicelib.oauth import clients
from chalicelib.oauth.tables import Client
from chalicelib.termination import password_reset
from chalicelib.webhooks import endpoints
from chalicelib.webhooks.tables import Endpoint

TICKED, CONNECTED = "end", "connected"
"""Form fields: the ids of the selected items, and whether to disconnect the connected apps."""


@dataclass(frozen=True, slots=True)
class Leftovers:
    """The items that a user can select: at most 20 keys, 50 applications and 10 webhooks, and connected apps."""

    keys: tuple[Credential, ...] = ()
    applications: tuple[Client, ...] = ()
    webhooks: tuple[Endpoint, ...] = ()
    connected: bool = False
    """Whether to offer to disconnect apps."""
    ends_by_itself: bool = False
    """Whether everything is removed without the user's selection, because this link verifies the address for the first
    time.
    """

    @property
    def ids(self) -> set[str]:
        """Return the ids that can be selected."""
        ids = {key.id for key in self.keys} | {webhook.id for webhook in self.webhooks}
        return ids | {client.client_id for client in self.applications}


def offered(ticket: OneTimeToken, account: Account) -> Leftovers:
    """Return the items that a link offers. A link that sets the first password offers no items, because without a
    password no user could create any.
    """
    if account.password_hash is None:
        return Leftovers()
    if ticket.email is not None and not account.is_verified:
        return Leftovers(ends_by_itself=True)
    return Leftovers(
        keys=tuple(
            key for key in keys_of(account.id) if key.is_live() and not account.predates_verification(key.created_at)
        ),
        applications=tuple(clients.list_of_account(account.id)),
        webhooks=tuple(endpoints.of_account(account.id)),
        connected=True,
    )


def ending_of_chosen(request: PageRequest, ticket: OneTimeToken, items: Leftovers) -> PendingTermination | None:
    """Return a pending termination of the offered items that were selected, without storing it; None if nothing was
    selected.
    """
    chosen = set(request.form.get(TICKED, ())) & items.ids
    if items.connected and request.text(CONNECTED):
        chosen.add(password_reset.CONNECTED)
    return password_reset.new(ticket.account_id, chosen, by=ticket.digest) if chosen else None
