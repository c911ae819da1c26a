"""How often a subject was refused, for people to see. A refusal must cost nothing, so this process adds them up.

The sum is written with the next admission, or by itself after 10 s of refusals; likewise who of the subject's
credentials was refused, and whose requests failed for want of a scope or for having ended. Whichever write carries a
sum has taken it: no two threads carry the same. Approximate: what a process holds when it ends, or when the hour does,
is lost; so is what is held of a flood that stops, unless the subject is admitted or refused here again in that hour.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from chalicelib.core import settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import WireError
from chalicelib.limits import local_cache, recorded_usage, recorded_usage_delta
from chalicelib.limits.counter_items import REFUSED, TABLE, Window, dies_at, item_key

HELD_MS = 10_000
ITEMS_MAX = 1_024


@dataclass(frozen=True, slots=True)
class Sum:
    """What one write carries: all refusals, and refusals and failures by the attribute of a credential."""

    refused: int = 0
    by_name: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: "Sum") -> "Sum":
        """Return both together."""
        by_name = dict(self.by_name)
        for name, count in other.by_name.items():
            by_name[name] = by_name.get(name, 0) + count
        return Sum(self.refused + other.refused, by_name)


NONE = Sum()
_NOTHING_HELD = NONE, 0

_held: dict[tuple[str, int], tuple[Sum, int]] = {}
"""By item: how many, and since when (ms)."""
_one_at_a_time = threading.Lock()


def held(window: Window) -> Sum:
    """Return what no write of this item carries yet."""
    return _held.get(window.item_key, _NOTHING_HELD)[0]


@contextmanager
def taken(window: Window) -> Iterator[Sum]:
    """Take what is held of this item for the write in the `with` block to carry; one that fails gives it back."""
    carried, since_ms = _take(window)
    try:
        yield carried
    except BaseException:
        if carried is not NONE:
            _hold(window, carried, since_ms)
        raise


def note(window: Window, counter: str | None = None) -> None:
    """Add one refusal, by name when it is known whose; write the sum when it was held for long enough."""
    _note(window, 1, recorded_usage.REFUSED + counter[-7:] if counter else "")


def note_failure(window: Window, counter: str) -> None:
    """Add one request of a known credential that failed: 401 or 403."""
    _note(window, 0, recorded_usage.FAILED + counter[-7:])


def forget() -> None:
    """Forget everything, as a new process would."""
    _held.clear()


def _note(window: Window, refused: int, name: str) -> None:
    since_ms = _hold(window, Sum(refused, {name: 1} if name else {}), window.now_ms)
    if window.now_ms >= since_ms + HELD_MS:
        _write(window)


def _hold(window: Window, more: Sum, since_ms: int) -> int:
    """Add to what is held of an item; return since when anything of it is."""
    with _one_at_a_time:
        before, held_since_ms = _held.get(window.item_key, (NONE, since_ms))
        since_ms = min(since_ms, held_since_ms)
        _held[window.item_key] = before + more, since_ms
        if len(_held) > ITEMS_MAX:
            _held.pop(next(iter(_held)))
    return since_ms


def _take(window: Window) -> tuple[Sum, int]:
    with _one_at_a_time:
        return _held.pop(window.item_key, _NOTHING_HELD)


def _write(window: Window) -> None:
    carried, _ = _take(window)
    if carried is NONE:
        return  # another thread is writing it
    try:
        dynamodb.call("UpdateItem", _request(window, carried), dynamodb.AT_ONCE)
    except WireError as error:
        # Held on to, and tried again after another 10 s: a flood of refusals must not wait for a database that is away,
        # nor the caller's 429 become a 5xx over a statistic.
        _hold(window, carried, window.now_ms)
        telemetry.warning("refusals_not_written", code=error.code)


def _request(window: Window, carried: Sum) -> dynamodb.Json:
    learnt = recorded_usage_delta.learnt(
        local_cache.of(window).known, None, recorded_usage.NOTHING_SHOWN, carried.by_name
    )
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
    return request
