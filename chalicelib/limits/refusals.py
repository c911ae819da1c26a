"""How often a subject was refused, for people to see. A refusal must cost nothing, so this process adds them up.

The sum is written with the next admission, or by itself after 10 s of refusals. Approximate: what a process holds when
it ends, or when the hour does, is lost.
"""

from chalicelib.core import settings, telemetry, wire
from chalicelib.limits.windows import REFUSED, TABLE, Window, dies_at, item_key

HELD_MS = 10_000
ITEMS_MAX = 1_024

_held: dict[tuple[str, int], tuple[int, int]] = {}
"""By item: how many, and since when (ms)."""


def held(window: Window) -> int:
    """Return how many refusals the next write of this item should carry."""
    return _held.get(window.item_key, (0, 0))[0]


def note(window: Window) -> None:
    """Add one refusal; write the sum when it was held for long enough."""
    count, since_ms = _held.get(window.item_key, (0, window.now_ms))
    _held[window.item_key] = count + 1, since_ms
    if not since_ms <= window.now_ms < since_ms + HELD_MS:
        _write(window, count + 1)
    elif len(_held) > ITEMS_MAX:
        _held.pop(next(iter(_held)))


def written(window: Window, count: int) -> None:
    """Note that `count` refusals stand in DynamoDB now."""
    left = held(window) - count
    if left > 0:
        _held[window.item_key] = left, window.now_ms
    else:
        _held.pop(window.item_key, None)


def forget() -> None:
    """Forget everything, as a new process would."""
    _held.clear()


def _write(window: Window, count: int) -> None:
    request = {
        "TableName": settings.current().table(TABLE),
        "Key": item_key(window.subject, window.tier, window.hour),
        "UpdateExpression": f"SET dies_at = :dies_at ADD {REFUSED} :count",
        "ExpressionAttributeValues": {
            ":count": {"N": str(count)},
            ":dies_at": {"N": str(dies_at(window.tier, window.hour))},
        },
    }
    try:
        wire.call("UpdateItem", request, wire.AT_ONCE)
    except wire.WireError as error:
        # Held on to, and tried again after another 10 s: a flood of refusals must not wait for a database that is away,
        # nor the caller's 429 become a 5xx over a statistic.
        _held[window.item_key] = count, window.now_ms
        telemetry.warning("refusals_not_written", code=error.code)
    else:
        written(window, count)
