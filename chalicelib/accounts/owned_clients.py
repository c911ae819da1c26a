"""The OAuth clients that an account registered end with it: while it is suspended or deleted none of them is active.

That stands on each client, so verifying a token reads the client and not its owner too. It is written in the
transaction that changes the account; an account has at most 50 clients. Their users' cached verdicts are marked
afterwards, a slice in the request and the rest by the minute's function: until then the gateway may let a token through
for 300 s.
"""

from collections.abc import Callable, Iterator
from itertools import islice

from pynamodb.attributes import UnicodeAttribute
from pynamodb.exceptions import TransactWriteError
from pynamodb.expressions.update import Action
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex

from chalicelib.accounts.states import ACTIVE
from chalicelib.accounts.tables import Account
from chalicelib.accounts.unfinished import SLICE, Unfinished
from chalicelib.core import clock, errors
from chalicelib.core.dynamodb import models
from chalicelib.limits import stale_marks

ROUNDS_MAX = 5
AT_ONCE = 90
"""A transaction has room for 100 writes, and the account's own are among them."""


class ByOwner(GlobalSecondaryIndex["OwnedClient"]):
    """The clients that an account registered."""

    class Meta:
        index_name = "by_owner"
        projection = AllProjection()

    owner_id = UnicodeAttribute(hash_key=True)
    client_id = UnicodeAttribute(range_key=True)


class OwnedClient(models.Table):
    """What concerns its owner of a client (see `oauth.tables`)."""

    class Meta(models.Meta):
        table = "clients"

    client_id = UnicodeAttribute(hash_key=True)
    owner_id = UnicodeAttribute(null=True)
    created_at = models.Integer()
    deleted_at = models.Integer(null=True)
    owner_suspended_at = models.Integer(null=True)

    by_owner = ByOwner()


class ByClient(GlobalSecondaryIndex["GivenGrant"]):
    """The grants that a client was given, oldest first."""

    class Meta:
        index_name = "by_client"
        projection = AllProjection()

    client_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)


class GivenGrant(models.Table):
    """Who gave a grant (see `oauth.tables`)."""

    class Meta(models.Meta):
        table = "grants"

    id = UnicodeAttribute(hash_key=True)
    client_id = UnicodeAttribute()
    account_id = UnicodeAttribute()
    revoked_at = models.Integer(null=True)

    by_client = ByClient()


def of_account(account_id: str) -> list[OwnedClient]:
    """Return the clients that an account registered and didn't delete."""
    return [client for client in OwnedClient.by_owner.query(account_id) if client.deleted_at is None]


def with_status(
    account_id: str, status: str, add_to: Callable[[models.Transaction], None], *, refused: Exception
) -> None:
    """Change the status of an account, as `add_to` writes it into a transaction, and its clients with it.

    Raises `refused` when a condition of `add_to` refuses.
    """
    for _ in range(ROUNDS_MAX):
        owned = of_account(account_id)
        try:
            with models.transaction() as write:
                add_to(write)
                _stand_or_fall(write, owned[:AT_ONCE], status)
        except TransactWriteError as error:
            if not models.refused(error):
                raise
            if all(models.refused_write(error, OwnedClient(each.client_id)) is None for each in owned[:AT_ONCE]):
                raise refused from None
        else:
            return
    raise errors.Unavailable


def _stand_or_fall(write: models.Transaction, owned: list[OwnedClient], status: str) -> None:
    """Add to a transaction: clients of an account whose status becomes `status` are active if it is, else not."""
    suspended = OwnedClient.owner_suspended_at
    action: Action = suspended.remove() if status == ACTIVE else suspended.set(clock.now_ms())
    for client in owned:
        write.update(
            OwnedClient(client.client_id),
            actions=[action],
            # An update would otherwise bring a client back as a stump that was forgotten at this moment.
            condition=OwnedClient.created_at.exists(),
        )


def finish(ending: Unfinished) -> bool:
    """Do a slice of what follows from an owner's end: tell its clients' users; return whether all of it is done.

    Looks again for clients first: the index may have been behind when the account changed.
    """
    owned = of_account(ending.subject)
    _catch_up(ending.subject, [client for client in owned if client.owner_suspended_at is None])
    left = SLICE
    for client in sorted(owned, key=lambda each: each.client_id):
        if client.client_id < (ending.step or ""):
            continue
        after = ending.after if client.client_id == ending.step else None
        users = list(islice(_users(client.client_id, after), left))
        ending.step, ending.after = client.client_id, after
        if not _marked({account_id for _, account_id in users}):
            return False
        ending.after = users[-1][0] if users else after
        left -= len(users)
        if not left:
            return False
    return True


def _catch_up(account_id: str, missed: list[OwnedClient]) -> None:
    account = Account.found(account_id)
    if account is None or account.status == ACTIVE:
        return
    for first in range(0, len(missed), AT_ONCE):
        with models.may_be_refused(), models.transaction() as write:
            # Wins against a reinstatement at the same moment, which has made them active.
            write.condition_check(Account, account_id, condition=Account.status == account.status)
            _stand_or_fall(write, missed[first : first + AT_ONCE], account.status)


def _users(client_id: str, after: str | None) -> Iterator[tuple[str, str]]:
    """Return (grant, account) of the grants a client was given, from beyond the id `after`."""
    beyond = GivenGrant.id > after if after else None
    for grant in GivenGrant.by_client.query(client_id, beyond, page_size=SLICE):
        if grant.revoked_at is None:
            yield grant.id, grant.account_id


def _marked(account_ids: set[str]) -> bool:
    # All of them, also behind one that fails.
    return False not in {stale_marks.mark(account_id) for account_id in account_ids}
