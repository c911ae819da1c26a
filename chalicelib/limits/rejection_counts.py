"""Count rejected requests, for display.

A rejection must cost nothing, so this process adds them up in memory. The next admission writes the counts, or a
separate write after 10 s of rejections. They are also counted by credential, like requests that failed because of a
missing scope or an expired credential. A write removes its counts from memory, so no two threads write the same. The
counts are approximate: they are lost when the process or the hour ends, or when a flood stops and no later request of
the subject reaches this process in that hour.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from chalicelib.core import settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import DynamoDBError
from chalicelib.core.process_cache import ProcessCache
from chalicelib.limits import local_cache, recorded_usage, recorded_usage_delta
from chalicelib.limits.counter_items import REJECTED, TABLE, Window, delete_at_s, item_key

FLUSH_AFTER_MS = 10_000
ITEMS_MAX = 1_024


@dataclass(frozen=True, slots=True)
class Counts:
    """The counts in one write: all rejections, and rejections and failures by a credential's attribute."""

    rejected: int = 0
    by_name: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: "Counts") -> "Counts":
        """Return the sum of both."""
        by_name = dict(self.by_name)
        for name, count in other.by_name.items():
            by_name[name] = by_name.get(name, 0) + count
        return Counts(self.rejected + other.rejected, by_name)


NO_COUNTS = Counts()
_NOTHING_PENDING = NO_COUNTS, 0

_pending: ProcessCache[tuple[str, int], tuple[Counts, int]] = ProcessCache("limits.rejection_counts", ITEMS_MAX)
"""The counts by item, and the time (ms) since which they are pending."""
_lock = threading.Lock()


def pending(window: Window) -> Counts:
    """Return the counts of this item that aren't written yet."""
    return _pending.get(window.item_key, _NOTHING_PENDING)[0]


@contextmanager
def flush_with(window: Window) -> Iterator[Counts]:
    """Hand this item's pending counts to the write in the `with` block. If it fails, they are pending again."""
    carried, since_ms = _pop(window)
    try:
        yield carried
    except BaseException:
        if carried is not NO_COUNTS:
            _add(window, carried, since_ms)
        raise


def record_rejection(window: Window, counter: str | None = None) -> None:
    """Count one rejection, by credential if known. Writes the counts if they have been pending for 10 s."""
    _record(window, 1, recorded_usage.REJECTED + counter[-7:] if counter else "")


def record_failure(window: Window, counter: str) -> None:
    """Count one failed request (401 or 403) of a known credential."""
    _record(window, 0, recorded_usage.FAILED + counter[-7:])


def _record(window: Window, rejected: int, name: str) -> None:
    since_ms = _add(window, Counts(rejected, {name: 1} if name else {}), window.now_ms)
    if window.now_ms >= since_ms + FLUSH_AFTER_MS:
        _write(window)


def _add(window: Window, more: Counts, since_ms: int) -> int:
    """Add to the pending counts of an item. Returns the time since which they are pending."""
    with _lock:
        before, pending_since_ms = _pending.get(window.item_key, (NO_COUNTS, since_ms))
        since_ms = min(since_ms, pending_since_ms)
        _pending[window.item_key] = before + more, since_ms
    return since_ms


def _pop(window: Window) -> tuple[Counts, int]:
    with _lock:
        return _pending.pop(window.item_key, _NOTHING_PENDING)


def _write(window: Window) -> None:
    carried, _ = _pop(window)
    if carried is NO_COUNTS:
        return  # another thread is writing them
    try:
        dynamodb.call("UpdateItem", _request(window, carried), dynamodb.FAIL_FAST)
    except DynamoDBError as error:
        # The counts are pending again, and retried after another 10 s. A flood of rejections must not wait for an
        # unavailable database, and an error of the statistics must not turn the caller's 429 into a 5xx.
        _add(window, carried, window.now_ms)
        telemetry.warning("refusals_not_written", code=error.code)


def _request(window: Window, carried: Counts) -> dynamodb.Json:
    delta = recorded_usage_delta.compute_delta(
        local_cache.lookup(window).recorded, None, recorded_usage.NO_USAGE, carried.by_name
    )
    values = {":count": {"N": str(carried.rejected)}, ":dies_at": {"N": str(delete_at_s(window.tier, window.hour))}}
    request = {
        "TableName": settings.current().table(TABLE),
        "Key": item_key(window.subject, window.tier, window.hour),
        "UpdateExpression": f"SET dies_at = :dies_at{delta.sets} ADD {REJECTED} :count{delta.adds}"
        + (" REMOVE " + ", ".join(delta.removes) if delta.removes else ""),
        "ExpressionAttributeValues": values | dict(delta.values),
    }
    if delta.names:
        request["ExpressionAttributeNames"] = delta.names
    return request
