"""The two quota thresholds that an account is notified of: nearly exhausted (80 %) and exhausted (100 %)."""

from chalicelib.limits.tiers import Tier

NEARLY_SPENT, SPENT = "nearly_spent", "spent"
NEARLY_PERCENT = 80
COUNTED_MAX = 2
"""The maximum number of times that one admission may have counted: a write whose response was lost is sent again."""


def find_reached(tier: Tier, used: int) -> tuple[str, ...]:
    """Return the thresholds that `used` requests of an hour have reached."""
    if tier.quota is None:
        return ()
    nearly_spent = -(-tier.quota * NEARLY_PERCENT // 100)
    return (NEARLY_SPENT,) * (used >= nearly_spent) + (SPENT,) * (used >= tier.quota)


def find_crossed(tier: Tier, *, known: int, used: int) -> tuple[str, ...]:
    """Return the thresholds that an admission crossed, given `used` after it and this process's `known` usage before.

    Two concurrent processes may both report a threshold; none is missed.
    """
    before = find_reached(tier, max(known, used - COUNTED_MAX))
    return find_reached(tier, used)[len(before) :]
