"""Count the requests of a deleted account against the hourly quota of a new account with the same address.

Otherwise a user could reset the quota by deleting the account and signing up again. The deletion stores an item with
the id of the deleted account, under the hash of the address, until the hour ends. If several accounts of the address
are deleted in the hour, the item contains the one with the highest usage. The transaction that creates or deletes an
account checks that this item is unchanged, so that no concurrent deletion is missed. Neither transaction writes to
counters.
"""

from dataclasses import dataclass

from pynamodb.expressions.condition import Condition

from chalicelib.accounts.email_address import hash_claim
from chalicelib.accounts.members import Membership
from chalicelib.accounts.tables import OneTimeToken
from chalicelib.core import clock, secrets
from chalicelib.core.dynamodb import models
from chalicelib.limits.carry_over import carry_over, used_in_hour
from chalicelib.limits.tiers import BY_NAME

KIND = "left"


@dataclass(frozen=True, slots=True)
class Predecessor:
    """The deleted account with an address, as it was read before the new account is created.

    `left_by` is the id of the deleted account, or None; `item` is the item that contains this id.
    """

    left_by: str | None
    item: OneTimeToken

    def add_to(self, write: models.Transaction) -> None:
        """Add to the transaction that creates an account the check that the item is unchanged."""
        write.condition_check(OneTimeToken, self.item.digest, condition=_still(self.left_by))


def add_to_deletion(write: models.Transaction, deleted: Membership) -> None:
    """Store, in the transaction in which an owner deletes an account, the item for the owner's next account.

    If the owner has deleted an account with a higher usage in this hour, its id remains in the item. The condition of
    the write fails if another account of the owner is deleted concurrently.
    """
    now_ms = clock.now_ms()
    digest = _digest(deleted.user.email)
    earlier = OneTimeToken.found(digest)
    left_by = deleted.account.id
    if earlier is not None and earlier.expires_at > now_ms:
        left_by = max(left_by, str(earlier.account_id), key=used_in_hour)
    ends_s = clock.hour_of(now_ms // 1000) + clock.HOUR_S
    item = OneTimeToken(
        digest,
        kind=KIND,
        account_id=left_by,
        expires_at=ends_s * 1000,
        dies_at=ends_s,
    )
    write.save(item, condition=_still(earlier.account_id if earlier else None))


def inherit(new: Membership) -> Predecessor:
    """Copy the hour's usage of the account that the same address deleted to a new account that isn't stored yet.

    Raises Unavailable when the usage can't be determined.
    """
    digest = _digest(new.user.email)
    item = OneTimeToken.found(digest)
    if item is not None and item.expires_at > clock.now_ms():
        carry_over(str(item.account_id), new.account.id, BY_NAME[new.account.tier])
    return Predecessor(item.account_id if item else None, item or OneTimeToken(digest))


def _still(left_by: str | None) -> Condition:
    """Return the condition that the item contains the account `left_by`, or that there is no item if this is None."""
    condition: Condition = OneTimeToken.digest.does_not_exist()
    if left_by is not None:
        condition = OneTimeToken.account_id == left_by
    return condition


def _digest(email: str) -> str:
    return secrets.digest(f"left {hash_claim(email)}")
