"""The two thresholds at which an account is notified: when 80 % of its hourly quota is used, and when all of it is."""

from chalicelib.limits.tiers import Tier

NEARLY_SPENT, SPENT = "nearly_spent", "spent"
NEARLY_PERCENT = 80
COUNTED_MAX = 2
"""The maximum number by which one admission may increase the counter: if a response is lost, the write is sent twice.
"""


def find_reached(tier: Tier, used: int) -> tuple[str, ...]:
    """Return the thresholds that are reached when `used` requests of the hour were admitted."""
    if tier.quota is None:
        return ()
    nearly_spent = -(-tier.quota * NEARLY_PERCENT // 100)
    return (NEARLY_SPENT,) * (used >= nearly_spent) + (SPENT,) * (used >= tier.quota)


def find_crossed(tier: Tier, *, known: int, used: int) -> tuple[str, ...]:
    """Return the thresholds that were reached with one admission.

    `used` is the usage after the admission, and `known` is the usage that this process knew before. Two concurrent
    processes may both report a threshold, but none is missed.
    """
    reached = find_reached(tier, used)
    if not reached:
        return ()
    return reached[len(find_reached(tier, max(known, used - COUNTED_MAX))) :]
