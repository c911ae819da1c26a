"""The hourly quota: at most `quota` requests of an account in one clock hour (UTC), over all its credentials.

The attribute `used` of the hour's counter item counts these requests. The quota is part of the condition of an
admission's write, so two functions can't both get the last request. It resets when the hour ends
(`Window.hour_ends_ms`).
"""

from chalicelib.core.dynamodb.client import Json
from chalicelib.limits.counter_items import number
from chalicelib.limits.tiers import Tier

CONDITION = "(attribute_not_exists(used) OR used < :quota)"


def is_exhausted(tier: Tier, item: Json) -> bool:
    """Return whether the quota is exhausted, given the hour's counter item. False for a tier without a quota."""
    return tier.quota is not None and number(item, "used") >= tier.quota
