"""Count the requests of a deleted account against the hourly quota of a new account with the same address.

Otherwise a user could reset the quota by deleting the account and signing up again. The deletion stores an item with
the id of the deleted account, under the hash of the address, until the hour ends. The transaction that creates an
account checks that this item is unchanged, so that no concurrent deletion is missed. Neither transaction writes to
counters.
"""

from dataclasses import dataclass

from pynamodb.expressions.condition import Condition

from chalicelib.accounts.email_address import hash_claim
from chalicelib.accounts.tables import Account, OneTimeToken
from chalicelib.core import clock, secrets
from chalicelib.core.dynamodb import models
from chalicelib.limits.carry_over import carry_over
from chalicelib.limits.tiers import BY_NAME


@dataclass(frozen=True, slots=True)
class Predecessor:
    """The last deleted account with an address, as it was read before the new account is created.

    `left_by` is the id of the deleted account, or None; `item` is the item that contains this id.
    """

    left_by: str | None
    item: OneTimeToken

    def add_to(self, write: models.Transaction) -> None:
        """Add to the transaction that creates an account the check that the item is unchanged."""
        condition: Condition = OneTimeToken.digest.does_not_exist()
        if self.left_by is not None:
            condition = OneTimeToken.account_id == self.left_by
        write.condition_check(OneTimeToken, self.item.digest, condition=condition)


def add_to_deletion(write: models.Transaction, account: Account) -> None:
    """Store, in the transaction that deletes an account, the item for the next account with the same address."""
    now_ms = clock.now_ms()
    ends_s = clock.hour_of(now_ms // 1000) + clock.HOUR_S
    item = OneTimeToken(
        _digest(account.email), kind="left", account_id=account.id, expires_at=ends_s * 1000, dies_at=ends_s
    )
    write.save(item)


def inherit(account: Account) -> Predecessor:
    """Copy the hour's usage of the last deleted account with the same address to a new account that isn't stored yet.

    Raises Unavailable when the usage can't be determined.
    """
    digest = _digest(account.email)
    item = OneTimeToken.found(digest)
    if item is not None and item.expires_at > clock.now_ms():
        carry_over(item.account_id, account.id, BY_NAME[account.tier])
    return Predecessor(item.account_id if item else None, item or OneTimeToken(digest))


def _digest(email: str) -> str:
    return secrets.digest(f"left {hash_claim(email)}")
