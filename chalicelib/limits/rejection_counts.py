"""Count rejected requests, for display only.

A rejection must cost nothing, so this process adds up rejections in memory. The counts are written together with the
next admission, or separately after 10 s of rejections. Rejections are also counted by credential. So are requests that
failed because of a missing scope or an expired credential. A write first removes its counts from memory, so that two
threads never write the same counts. The counts are approximate. They are lost when the process ends, or when rejections
stop and this process gets no further request of the subject in that hour.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
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
    """Counts for one write: the number of all rejections, and the rejections and failures by credential.

    `by_name` maps the name of an attribute to its count.
    """

    rejected: int = 0
    by_name: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: "Counts") -> "Counts":
        """Return the sum of two counts."""
        by_name = dict(self.by_name)
        for name, count in other.by_name.items():
            by_name[name] = by_name.get(name, 0) + count
        return Counts(self.rejected + other.rejected, by_name)


NO_COUNTS = Counts()
_NOTHING_PENDING = NO_COUNTS, 0

_pending: ProcessCache[tuple[str, int], tuple[Counts, int]] = ProcessCache("limits.rejection_counts", ITEMS_MAX)
"""The counts of each item that aren't written yet, and the time (ms) of the oldest of them."""
_lock = threading.Lock()


def pending(window: Window) -> Counts:
    """Return the counts of this item that aren't written yet."""
    return _pending.get(window.item_key, _NOTHING_PENDING)[0]


def flush_with(window: Window) -> AbstractContextManager[Counts]:
    """Pass the pending counts of an item to a `with` block that writes them.

    If the block fails, they are pending again.
    """
    carried, since_ms = _pop(window)
    # Usually nothing is pending, and a generator would cost an admission more than this.
    return nullcontext(NO_COUNTS) if carried is NO_COUNTS else _flush(window, carried, since_ms)


@contextmanager
def _flush(window: Window, carried: Counts, since_ms: int) -> Iterator[Counts]:
    try:
        yield carried
    except BaseException:
        _add(window, carried, since_ms)
        raise


def record_rejection(window: Window, counter: str | None = None) -> None:
    """Count one rejection, also for the credential if its counter is known. Counts older than 10 s are written."""
    _record(window, 1, recorded_usage.REJECTED + counter[-7:] if counter else "")


def record_failure(window: Window, counter: str) -> None:
    """Count one failed request (401 or 403) for a credential. Counts older than 10 s are written."""
    _record(window, 0, recorded_usage.FAILED + counter[-7:])


def _record(window: Window, rejected: int, name: str) -> None:
    since_ms = _add(window, Counts(rejected, {name: 1} if name else {}), window.now_ms)
    if window.now_ms >= since_ms + FLUSH_AFTER_MS:
        _write(window)


def _add(window: Window, more: Counts, since_ms: int) -> int:
    """Add to the pending counts of an item. Returns the time (ms) of the oldest pending count."""
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
        return  # another thread has taken the counts to write them
    try:
        dynamodb.call("UpdateItem", _request(window, carried), dynamodb.FAIL_FAST)
    except DynamoDBError as error:
        # Keep the counts and write them after another 10 s. A flood of rejections must not wait for an unavailable
        # database, and a failure of statistics must not turn the caller's 429 response into a 5xx.
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
