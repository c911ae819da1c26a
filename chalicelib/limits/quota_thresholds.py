"""When an hour's quota is nearly spent and spent: the two counts that are worth telling an account of."""

from chalicelib.limits.tiers import Tier

NEARLY_SPENT, SPENT = "nearly_spent", "spent"
NEARLY_PERCENT = 80
SENT_TWICE = 2
"""What one admission may have counted at most: a write whose answer was lost is sent again."""


def reached(tier: Tier, used: int) -> tuple[str, ...]:
    """Return what `used` requests of an hour have come to."""
    if tier.quota is None:
        return ()
    nearly = -(-tier.quota * NEARLY_PERCENT // 100)
    return (NEARLY_SPENT,) * (used >= nearly) + (SPENT,) * (used >= tier.quota)


def crossed(tier: Tier, *, known: int, used: int) -> tuple[str, ...]:
    """Return what an admission has come to that found `used`, where its process knew of `known` before.

    Of admissions in several processes two may think so; none is left out.
    """
    before = reached(tier, max(known, used - SENT_TWICE))
    return reached(tier, used)[len(before) :]
