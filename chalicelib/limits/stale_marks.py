"""Invalidation marks. They make every change effective at the next request, although API Gateway caches policies for
300 s.

After a change has been committed, the mark is set on the counter items, which the next admission writes anyway. A mark
only ever increases, even if the clocks of functions differ. Therefore a verification that starts after reading a mark
may use the mark's value as its own time.
"""

from collections.abc import Iterable

from chalicelib.core import clock, settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import ConditionFailed, DynamoDBError
from chalicelib.limits.counter_items import TABLE, delete_at_s, item_key, number
from chalicelib.limits.tiers import Tier

CLOCK_SKEW_S = 8
"""The maximum difference between the clocks of two functions: 6 s (one is 3 s fast, one 3 s slow) plus a margin."""


def verified_from(now_ms: int) -> int:
    """Return the `verified_at` of a verification that starts now.

    It is the current time minus the clock skew. Otherwise a later change, whose time is from a slower clock, would seem
    to be older than the verification.
    """
    return now_ms - CLOCK_SKEW_S * 1000


def mark(subject: str, tiers: Iterable[Tier]) -> bool:
    """Invalidate every verification of `subject`, an account that has or had one of `tiers`, up to now.

    Returns False if a mark couldn't be set.

    Call it after the change has been committed. It uses single updates, because a transaction on a counter would make
    concurrent admissions fail. Idempotent.
    """
    now_ms = clock.now_ms()
    # A slower clock may still be in the previous hour, and a policy that is cached now may still be used in the next
    # hour.
    hours = sorted({clock.hour_of(now_ms // 1000 + ahead_s) for ahead_s in (-CLOCK_SKEW_S, 0, clock.HOUR_S)})
    try:
        for tier in tiers:
            for hour in hours:
                _raise_mark(subject, tier, hour, now_ms)
    except DynamoDBError as error:
        telemetry.error("stale_mark_lost", subject=subject, code=error.code)
        telemetry.count("StaleMarkLost")
        return False
    return True


def is_marked(subject: str, tiers: Iterable[Tier], since_ms: int) -> bool:
    """Return whether every counter item that an admission could check now has a mark for a change at `since_ms`."""
    hour = clock.hour_of(clock.now_s())
    keys = [item_key(subject, tier, hour) for tier in tiers]
    items = dynamodb.batch_get_table(settings.current().table(TABLE), keys, consistent=True)
    return len(items) == len(keys) and all(number(item, "stale_at") >= since_ms for item in items)


def _raise_mark(subject: str, tier: Tier, hour: int, now_ms: int) -> None:
    request = {
        "TableName": settings.current().table(TABLE),
        "Key": item_key(subject, tier, hour),
        "ExpressionAttributeValues": {
            ":mark": {"N": str(now_ms)},
            ":dies_at": {"N": str(delete_at_s(tier, hour))},
        },
    }
    try:
        # With this condition, the write never lowers a mark that a faster clock has set.
        dynamodb.call(
            "UpdateItem",
            request
            | {
                "UpdateExpression": "SET stale_at = :mark, dies_at = :dies_at",
                "ConditionExpression": "attribute_not_exists(stale_at) OR stale_at < :mark",
            },
        )
    except ConditionFailed:
        # This clock is behind the one that set the existing mark. The change is newer nevertheless, so the mark must
        # increase.
        values = {":mark": {"N": "1"}}
        dynamodb.call(
            "UpdateItem", request | {"UpdateExpression": "ADD stale_at :mark", "ExpressionAttributeValues": values}
        )
