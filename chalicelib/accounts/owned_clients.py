"""Deactivate the OAuth clients of an account: permanently when it is deleted, or until a suspended account is
reinstated.

The transaction that changes the account also writes `owner_suspended_at` to its clients, at most 50. Therefore the
verification of a token reads only the client, and not also the account that registered it. After the transaction, the
ends of the clients are recorded, so that cached tokens are rejected within 10 s (see `limits.ended_clients`). Then the
cached authorizations of the clients' users are invalidated. The request does this for the first 50 users, and a
job does it for the rest.
"""

from collections.abc import Callable, Iterator
from itertools import islice

from pynamodb.attributes import UnicodeAttribute
from pynamodb.exceptions import TransactWriteError
from pynamodb.expressions.update import Action
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex

from chalicelib.accounts import invalidation
from chalicelib.accounts.states import ACTIVE
from chalicelib.accounts.tables import Account
from chalicelib.core import clock, errors
from chalicelib.core.dynamodb import models
from chalicelib.jobs import progress
from chalicelib.jobs.progress import BATCH
from chalicelib.jobs.tables import Job
from chalicelib.limits import ended_clients

ROUNDS_MAX = 5
AT_ONCE = 90
"""Maximum number of clients in one transaction. A transaction can contain 100 writes, and some are for the account."""


class ByOwner(GlobalSecondaryIndex["OwnedClient"]):
    """The clients that each account registered."""

    class Meta:
        index_name = "by_owner"
        projection = AllProjection()

    account_id = UnicodeAttribute(hash_key=True, attr_name="owner_id")
    client_id = UnicodeAttribute(range_key=True)


class OwnedClient(models.Table):
    """An OAuth client, with only the attributes that this module needs (the full table is in `oauth.tables`)."""

    class Meta(models.Meta):
        table = "clients"

    client_id = UnicodeAttribute(hash_key=True)
    account_id = UnicodeAttribute(null=True, attr_name="owner_id")
    created_at = models.Integer()
    deleted_at = models.Integer(null=True)
    owner_suspended_at = models.Integer(null=True)

    by_owner = ByOwner()


class ByClient(GlobalSecondaryIndex["ClientGrant"]):
    """The grants of each client, oldest first."""

    class Meta:
        index_name = "by_client"
        projection = AllProjection()

    client_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)


class ClientGrant(models.Table):
    """A grant, with only the attributes that this module needs (the full table is in `oauth.tables`)."""

    class Meta(models.Meta):
        table = "grants"

    id = UnicodeAttribute(hash_key=True)
    client_id = UnicodeAttribute()
    account_id = UnicodeAttribute()
    revoked_at = models.Integer(null=True)

    by_client = ByClient()


def of_account(account_id: str) -> list[OwnedClient]:
    """Return the clients of an account except deleted ones."""
    return [client for client in OwnedClient.by_owner.query(account_id) if client.deleted_at is None]


def set_status(
    account_id: str, status: str, add_to: Callable[[models.Transaction], None], *, refused: Exception
) -> bool:
    """Change the status of an account and its clients in one transaction. Returns False if the ends of the clients
    couldn't be recorded afterwards, so that their tokens may be accepted for up to 300 s.

    `add_to` adds the writes of the account to the transaction. Raises the exception `refused` when a condition of these
    writes fails.
    """
    for _ in range(ROUNDS_MAX):
        owned = of_account(account_id)
        try:
            with models.transaction() as write:
                add_to(write)
                _add_clients(write, owned[:AT_ONCE], status)
        except TransactWriteError as error:
            if not models.is_condition_failure(error):
                raise
            if all(models.find_failed_write(error, OwnedClient(each.client_id)) is None for each in owned[:AT_ONCE]):
                raise refused from None
        else:
            return status == ACTIVE or ended_clients.record(client.client_id for client in owned[:AT_ONCE])
    raise errors.Unavailable


def _add_clients(write: models.Transaction, owned: list[OwnedClient], status: str) -> None:
    """Activate or deactivate clients in a transaction, according to the new `status` of their account."""
    suspended = OwnedClient.owner_suspended_at
    action: Action = suspended.remove() if status == ACTIVE else suspended.set(clock.now_ms())
    for client in owned:
        write.update(
            OwnedClient(client.client_id),
            actions=[action],
            # Without the condition, the update would recreate a client that is being deleted.
            condition=OwnedClient.created_at.exists(),
        )


def finish(pending: Job) -> bool:
    """Invalidate the cached authorizations of up to 50 users of the account's clients; return whether no users remain.

    First deactivate the clients that the index didn't return yet when the account was changed, and record the ends of
    clients that weren't recorded.
    """
    owned = of_account(pending.subject)
    _deactivate_missed(pending.subject, [client for client in owned if client.owner_suspended_at is None])
    # If this fails, the next run repeats it. If none follows, all users have been marked.
    ended_clients.record_missing([client.client_id for client in owned], since_ms=pending.began_at)
    left = BATCH
    for client in sorted(owned, key=lambda each: each.client_id):
        if client.client_id < (pending.step or ""):
            continue
        after = pending.after if client.client_id == pending.step else None
        users = list(islice(_users(client.client_id, after), left))
        pending.step, pending.after = client.client_id, after
        if not invalidation.mark_accounts({account_id for _, account_id in users}):
            return False
        pending.after = users[-1][0] if users else after
        left -= len(users)
        if not left:
            return False
    return True


def mark_first_users(account_id: str) -> None:
    """Invalidate the cached authorizations of the first users of a deleted account's clients."""
    finish(progress.new(progress.OF_OWNER, account_id))


def mark_first_users_of(client_id: str) -> None:
    """Invalidate the cached authorizations of the first users of a deleted client."""
    invalidation.mark_accounts({account_id for _, account_id in islice(_users(client_id, None), BATCH)})


def _deactivate_missed(account_id: str, missed: list[OwnedClient]) -> None:
    account = Account.found(account_id)
    if account is None or account.status == ACTIVE:
        return
    for first in range(0, len(missed), AT_ONCE):
        with models.ignore_condition_failure(), models.transaction() as write:
            # This check fails if the account was reinstated concurrently. In that case, its clients must stay active.
            write.condition_check(Account, account_id, condition=Account.status == account.status)
            _add_clients(write, missed[first : first + AT_ONCE], account.status)


def _users(client_id: str, after: str | None) -> Iterator[tuple[str, str]]:
    """Yield the grant id and the account id of each of the client's active grants whose id is greater than `after`."""
    newer = ClientGrant.id > after if after else None
    for grant in ClientGrant.by_client.query(client_id, newer, page_size=BATCH):
        if grant.revoked_at is None:
            yield grant.id, grant.account_id
