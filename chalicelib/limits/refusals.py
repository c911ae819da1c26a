"""How often a subject was refused, for people to see. A refusal must cost nothing, so this process adds them up.

The sum is written with the next admission, or by itself after 10 s of refusals; likewise who of the subject's
credentials was refused, and whose requests failed for want of a scope or for having ended. Approximate: what a process
holds when it ends, or when the hour does, is lost.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from chalicelib.core import settings, telemetry, wire
from chalicelib.limits import memory, traits
from chalicelib.limits.windows import REFUSED, TABLE, Window, dies_at, item_key

HELD_MS = 10_000
ITEMS_MAX = 1_024


@dataclass(frozen=True, slots=True)
class Sum:
    """What one write carries: all refusals, and refusals and failures by the attribute of a credential."""

    refused: int = 0
    by_name: Mapping[str, int] = field(default_factory=dict)


NONE = Sum()

_held: dict[tuple[str, int], tuple[Sum, int]] = {}
"""By item: how many, and since when (ms)."""


def held(window: Window) -> Sum:
    """Return what the next write of this item should carry."""
    return _held.get(window.item_key, (NONE, 0))[0]


def note(window: Window, counter: str | None = None) -> None:
    """Add one refusal, by name when it is known whose; write the sum when it was held for long enough."""
    _note(window, 1, traits.REFUSED + counter[-7:] if counter else "")


def note_failure(window: Window, counter: str) -> None:
    """Add one request of a known credential that failed: 401 or 403."""
    _note(window, 0, traits.FAILED + counter[-7:])


def written(window: Window, carried: Sum) -> None:
    """Note that what was `carried` stands in DynamoDB now."""
    if carried is NONE:
        return
    now = held(window)
    left = {name: more for name, count in now.by_name.items() if (more := count - carried.by_name.get(name, 0)) > 0}
    refused = max(now.refused - carried.refused, 0)
    if refused or left:
        _held[window.item_key] = Sum(refused, left), window.now_ms
    else:
        _held.pop(window.item_key, None)


def forget() -> None:
    """Forget everything, as a new process would."""
    _held.clear()


def _note(window: Window, refused: int, name: str) -> None:
    before, since_ms = _held.get(window.item_key, (NONE, window.now_ms))
    by_name = {**before.by_name, name: before.by_name.get(name, 0) + 1} if name else before.by_name
    now = Sum(before.refused + refused, by_name)
    _held[window.item_key] = now, since_ms
    if not since_ms <= window.now_ms < since_ms + HELD_MS:
        _write(window, now)
    elif len(_held) > ITEMS_MAX:
        _held.pop(next(iter(_held)))


def _write(window: Window, carried: Sum) -> None:
    learnt = traits.learnt(memory.of(window).known, None, traits.NOTHING_SHOWN, carried.by_name)
    values = {":count": {"N": str(carried.refused)}, ":dies_at": {"N": str(dies_at(window.tier, window.hour))}}
    request = {
        "TableName": settings.current().table(TABLE),
        "Key": item_key(window.subject, window.tier, window.hour),
        "UpdateExpression": f"SET dies_at = :dies_at{learnt.sets} ADD {REFUSED} :count{learnt.adds}"
        + (" REMOVE " + ", ".join(learnt.removes) if learnt.removes else ""),
        "ExpressionAttributeValues": values | dict(learnt.values),
    }
    if learnt.names:
        request["ExpressionAttributeNames"] = learnt.names
    try:
        wire.call("UpdateItem", request, wire.AT_ONCE)
    except wire.WireError as error:
        # Held on to, and tried again after another 10 s: a flood of refusals must not wait for a database that is away,
        # nor the caller's 429 become a 5xx over a statistic.
        _held[window.item_key] = carried, window.now_ms
        telemetry.warning("refusals_not_written", code=error.code)
    else:
        written(window, carried)
