"""Let a new account inherit the hour's used quota from a deleted account with the same address.

Otherwise deleting an account and signing up again would reset its quota. The deletion stores an item under the hash of
the address, which names the deleted account until the hour ends. The transaction that creates an account checks that
this item is unchanged, so no concurrent deletion is missed. Neither transaction contains counters.
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
    """The deleted account that had an address (`left_by`, or None), and the item that names it, as read before the
    creation.
    """

    left_by: str | None
    item: OneTimeToken

    def add_to(self, write: models.Transaction) -> None:
        """Check in the transaction that creates an account that the item is unchanged."""
        condition: Condition = OneTimeToken.digest.does_not_exist()
        if self.left_by is not None:
            condition = OneTimeToken.account_id == self.left_by
        write.condition_check(OneTimeToken, self.item.digest, condition=condition)


def add_to_deletion(write: models.Transaction, account: Account) -> None:
    """Add to the transaction that deletes an account: store the item for the next account with its address."""
    now_ms = clock.now_ms()
    ends_s = clock.hour_of(now_ms // 1000) + clock.HOUR_S
    item = OneTimeToken(
        _digest(account.email), kind="left", account_id=account.id, expires_at=ends_s * 1000, dies_at=ends_s
    )
    write.save(item)


def inherit(account: Account) -> Predecessor:
    """Copy the hour's usage of the last account with the address to a new account that isn't stored yet.

    Raises Unavailable when the usage can't be determined.
    """
    digest = _digest(account.email)
    item = OneTimeToken.found(digest)
    if item is not None and item.expires_at > clock.now_ms():
        carry_over(item.account_id, account.id, BY_NAME[account.tier])
    return Predecessor(item.account_id if item else None, item or OneTimeToken(digest))


def _digest(email: str) -> str:
    return secrets.digest(f"left {hash_claim(email)}")
