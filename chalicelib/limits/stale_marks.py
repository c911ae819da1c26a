"""The mark that makes every change take effect at the next request, though the gateway caches verdicts for 300 s.

A change commits first and is marked then, on the counters that the next admission writes anyway. The mark only ever
rises, even between functions whose clocks differ, so whoever verifies after seeing a mark can carry its value as proof.
"""

from chalicelib.core import clock, settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import ConditionFailed, WireError
from chalicelib.limits.counter_items import TABLE, dies_at, item_key, number
from chalicelib.limits.tiers import OF_ACCOUNTS, Tier

CLOCK_SKEW_S = 8
"""How far the clocks of two functions may differ: 6 s when one is 3 s fast and one 3 s slow, and some to spare."""


def verified_from(now_ms: int) -> int:
    """Return the `verified_at` of a verification that begins now.

    Set back by the skew: a change that another function's slower clock stamps must not look older than this.
    """
    return now_ms - CLOCK_SKEW_S * 1000


def mark(subject: str) -> bool:
    """Mark everything verified so far about `subject` as stale; return False when a mark couldn't be set.

    Call it after the change has committed. Plain updates, never a transaction: one that touches a counter would make
    concurrent admissions fail. Repeating it is harmless.
    """
    now_ms = clock.now_ms()
    # A slower clock may still be in the last hour, and a verdict cached now lives on in the next.
    hours = sorted({clock.hour_of(now_ms // 1000 + ahead_s) for ahead_s in (-CLOCK_SKEW_S, 0, clock.HOUR_S)})
    try:
        for tier in OF_ACCOUNTS:
            for hour in hours:
                _raise_mark(subject, tier, hour, now_ms)
    except WireError as error:
        telemetry.error("stale_mark_lost", subject=subject, code=error.code)
        telemetry.count("StaleMarkLost")
        return False
    return True


def is_marked(subject: str, since_ms: int) -> bool:
    """Tell whether a change at `since_ms` was marked wherever an admission now would look."""
    hour = clock.hour_of(clock.now_s())
    keys = [item_key(subject, tier, hour) for tier in OF_ACCOUNTS]
    items = dynamodb.batch_get_of(settings.current().table(TABLE), keys, consistent=True)
    return len(items) == len(keys) and all(number(item, "stale_at") >= since_ms for item in items)


def _raise_mark(subject: str, tier: Tier, hour: int, now_ms: int) -> None:
    request = {
        "TableName": settings.current().table(TABLE),
        "Key": item_key(subject, tier, hour),
        "ExpressionAttributeValues": {
            ":mark": {"N": str(now_ms)},
            ":dies_at": {"N": str(dies_at(tier, hour))},
        },
    }
    try:
        # Wins against a slower clock: a mark is never lowered.
        dynamodb.call(
            "UpdateItem",
            request
            | {
                "UpdateExpression": "SET stale_at = :mark, dies_at = :dies_at",
                "ConditionExpression": "attribute_not_exists(stale_at) OR stale_at < :mark",
            },
        )
    except ConditionFailed:
        # This clock is behind the mark that stands. The change is newer all the same, so the mark must still rise.
        values = {":mark": {"N": "1"}}
        dynamodb.call(
            "UpdateItem", request | {"UpdateExpression": "ADD stale_at :mark", "ExpressionAttributeValues": values}
        )
