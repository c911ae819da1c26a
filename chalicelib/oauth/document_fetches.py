"""Recent failures and current fetches of client metadata documents in this process.

Both are kept in memory and limited in number. In a database table, anonymous callers could store any number of invalid
URLs. Fetches by other processes are limited by the callers' rate limit.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from chalicelib.core import clock
from chalicelib.core.process_cache import ProcessCache

FAILURE_KEPT_MS = 5 * 60_000
"""How long a document isn't fetched again after it couldn't be used."""
FAILURES_MAX = 1_000

_failed_until: ProcessCache[str, int] = ProcessCache("oauth.failed_documents", FAILURES_MAX)
_in_progress: dict[str, threading.Lock] = {}
_guard = threading.Lock()


def record_failure(client_id: str) -> None:
    """Record that a client's document can't be used. If there are too many records, the oldest one is deleted."""
    with _guard:
        _failed_until.pop(client_id, None)
        _failed_until[client_id] = clock.now_ms() + FAILURE_KEPT_MS


def has_recently_failed(client_id: str) -> bool:
    """Return whether a client's document couldn't be used within the last FAILURE_KEPT_MS."""
    until_ms = _failed_until.get(client_id)
    return until_ms is not None and clock.now_ms() < until_ms


@contextmanager
def single_flight(client_id: str) -> Iterator[bool]:
    """Let only one of several threads fetch a document at a time. That thread gets True immediately. The others wait
    until it has finished, and then get False.
    """
    with _guard:
        lock = _in_progress.setdefault(client_id, threading.Lock())
    is_first = lock.acquire(blocking=False)
    if not is_first:
        lock.acquire()
    try:
        yield is_first
    finally:
        if is_first:
            with _guard:
                del _in_progress[client_id]
        lock.release()
