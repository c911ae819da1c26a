"""An account that is deleted and signed up again in the same hour goes on counting where it stopped.

Deletion leaves one item under the hash of its address until the hour ends: whose counters the next account of that
address takes over. It is written in the deletion's transaction and asked about in that of the new account, so nothing
fits in between; counters are in neither.
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
    """What was known of an address when its new account was prepared; None: nobody had it in this hour."""

    left_by: str | None
    item: OneTimeToken

    def add_to(self, write: models.Transaction) -> None:
        """Add to a transaction that makes an account: this still holds."""
        condition: Condition = OneTimeToken.digest.does_not_exist()
        if self.left_by is not None:
            condition = OneTimeToken.account_id == self.left_by
        write.condition_check(OneTimeToken, self.item.digest, condition=condition)


def add_to_deletion(write: models.Transaction, account: Account) -> None:
    """Add to the transaction that deletes an account: whose counters the next one of its address takes over."""
    now_ms = clock.now_ms()
    ends_s = clock.hour_of(now_ms // 1000) + clock.HOUR_S
    item = OneTimeToken(
        _digest(account.email), kind="left", account_id=account.id, expires_at=ends_s * 1000, dies_at=ends_s
    )
    write.save(item)


def inherit(account: Account) -> Predecessor:
    """Let an account that isn't stored yet begin with what the last one of its address used of this hour.

    Raises Unavailable when that can't be known for sure.
    """
    digest = _digest(account.email)
    item = OneTimeToken.found(digest)
    if item is not None and item.expires_at > clock.now_ms():
        carry_over(item.account_id, account.id, BY_NAME[account.tier])
    return Predecessor(item.account_id if item else None, item or OneTimeToken(digest))


def _digest(email: str) -> str:
    return secrets.digest(f"left {hash_claim(email)}")
