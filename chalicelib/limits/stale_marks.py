"""Invalidation marks, which make every change effective at the next request although API Gateway caches policies for
300 s.

A change commits first, and then sets the mark on the counters that the next admission writes anyway. A mark only
increases, even between functions whose clocks differ, so a verification that starts after reading a mark may use its
value as `verified_at`.
"""

from chalicelib.core import clock, settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import ConditionFailed, DynamoDBError
from chalicelib.limits.counter_items import TABLE, delete_at_s, item_key, number
from chalicelib.limits.tiers import OF_ACCOUNTS, Tier

CLOCK_SKEW_S = 8
"""The maximum difference between the clocks of two functions: 6 s (one 3 s fast, one 3 s slow), and a margin."""


def verified_from(now_ms: int) -> int:
    """Return the `verified_at` of a verification that starts now.

    It is set back by the clock skew: a change stamped by another function's slower clock must not look older than this.
    """
    return now_ms - CLOCK_SKEW_S * 1000


def mark(subject: str) -> bool:
    """Invalidate everything verified so far for `subject`. Returns False when a mark couldn't be set.

    Call it after the change has committed. It makes plain updates, never a transaction: a transaction on a counter
    would make concurrent admissions fail. Idempotent.
    """
    now_ms = clock.now_ms()
    # A slower clock may still be in the last hour, and a policy that is cached now is still used in the next.
    hours = sorted({clock.hour_of(now_ms // 1000 + ahead_s) for ahead_s in (-CLOCK_SKEW_S, 0, clock.HOUR_S)})
    try:
        for tier in OF_ACCOUNTS:
            for hour in hours:
                _raise_mark(subject, tier, hour, now_ms)
    except DynamoDBError as error:
        telemetry.error("stale_mark_lost", subject=subject, code=error.code)
        telemetry.count("StaleMarkLost")
        return False
    return True


def is_marked(subject: str, since_ms: int) -> bool:
    """Return whether a change at `since_ms` is marked on every item that an admission could check now."""
    hour = clock.hour_of(clock.now_s())
    keys = [item_key(subject, tier, hour) for tier in OF_ACCOUNTS]
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
        # The condition never lowers a mark that a faster clock has set.
        dynamodb.call(
            "UpdateItem",
            request
            | {
                "UpdateExpression": "SET stale_at = :mark, dies_at = :dies_at",
                "ConditionExpression": "attribute_not_exists(stale_at) OR stale_at < :mark",
            },
        )
    except ConditionFailed:
        # This clock is behind the existing mark. The change is newer nevertheless, so the mark must still increase.
        values = {":mark": {"N": "1"}}
        dynamodb.call(
            "UpdateItem", request | {"UpdateExpression": "ADD stale_at :mark", "ExpressionAttributeValues": values}
        )
