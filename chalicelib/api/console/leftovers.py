"""Items that a user can remove while resetting a password, because an attacker who knew the old password may have
created them.

A link from an administrator offers the same items as a link in an email. If email isn't configured, an administrator's
link is the only way to recover a user's access.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from chalicelib.accounts import members, roles
from chalicelib.accounts.members import Membership
from chalicelib.accounts.tables import Account, OneTimeToken, User
from chalicelib.api.console.page_request import PageRequest
from chalicelib.credentials.find import keys_of
from chalicelib.credentials.tables import Credential
from chalicelib.jobs.tables import Job
from chalicelib.oauth import clients
from chalicelib.oauth.tables import Client
from chalicelib.termination import password_reset
from chalicelib.webhooks import endpoints
from chalicelib.webhooks.tables import Endpoint

TICKED, CONNECTED = "end", "connected"
"""Form fields: the ids of the selected items, and whether to disconnect the connected apps."""
OFFERED_MAX = 90
"""The maximum number of items on the page. A form can have 100 fields (see `csrf`). A single account of the user has at
most 20 keys, 50 applications and 10 webhooks.
"""


@dataclass(frozen=True, slots=True)
class OfAccount:
    """The items of a user in one of the user's accounts."""

    account: Account
    keys: tuple[Credential, ...]
    applications: tuple[Client, ...]
    webhooks: tuple[Endpoint, ...]

    @property
    def ids(self) -> set[str]:
        """Return the ids that can be selected."""
        ids = {key.id for key in self.keys} | {webhook.id for webhook in self.webhooks}
        return ids | {client.client_id for client in self.applications}


@dataclass(frozen=True, slots=True)
class Leftovers:
    """The items that a user can select, by account, and the connected apps."""

    accounts: tuple[OfAccount, ...] = ()
    connected: bool = False
    """Whether to offer to disconnect apps."""
    ends_by_itself: bool = False
    """Whether everything is removed without the user's selection, because this link verifies the address for the first
    time.
    """

    @property
    def ids(self) -> set[str]:
        """Return the ids that can be selected."""
        return {each for account in self.accounts for each in account.ids}


def offered(ticket: OneTimeToken, user: User) -> Leftovers:
    """Return the items that a link offers. A link that sets the first password offers no items, because without a
    password no user could create any.
    """
    if user.password_hash is None:
        return Leftovers()
    if ticket.email is not None and not user.is_verified:
        return Leftovers(ends_by_itself=True)
    return Leftovers(tuple(_up_to(OFFERED_MAX, members.all_of(user))), connected=True)


def ending_of_chosen(request: PageRequest, user: User, ticket: OneTimeToken, items: Leftovers) -> Job | None:
    """Return a job for the offered items that were selected, without storing it; None if nothing was
    selected.
    """
    chosen = set(request.form.get(TICKED, ())) & items.ids
    if items.connected and request.text(CONNECTED):
        chosen.add(password_reset.CONNECTED)
    return password_reset.new(user.id, chosen, by=ticket.digest) if chosen else None


def _up_to(most: int, memberships: Iterable[Membership]) -> Iterable[OfAccount]:
    """Yield the user's items by account, at most `most` altogether. Accounts without items are omitted."""
    for membership in memberships:
        items = _in_account(membership, most)
        most -= len(items.ids)
        if items.ids:
            yield items
        if not most:
            return


def _in_account(membership: Membership, most: int) -> OfAccount:
    account, user = membership.account, membership.user
    keys = tuple(key for key in keys_of(account.id) if _is_active_key(key, membership))[:most]
    # Applications and webhooks serve the whole account. A user who can't manage them any more can't delete them here.
    if not membership.may(roles.ADMIN):
        return OfAccount(account, keys, (), ())
    applications = tuple(client for client in clients.list_of_account(account.id) if client.user_id == user.id)[
        : most - len(keys)
    ]
    webhooks = tuple(endpoint for endpoint in endpoints.of_account(account.id) if endpoint.user_id == user.id)[
        : most - len(keys) - len(applications)
    ]
    return OfAccount(account, keys, applications, webhooks)


def _is_active_key(key: Credential, membership: Membership) -> bool:
    made_at, user = key.created_at, membership.user
    predates = membership.account.predates_verification(made_at) or user.predates_verification(made_at)
    return key.user_id == user.id and key.is_live() and not predates
