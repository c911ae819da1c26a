"""What this process knows of its fetches of client documents: which failed, and which are under way.

Kept in the process and bounded: stored, a stranger's bad addresses would fill a table. What other processes fetch is
held down by the allowance of whoever causes it.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from chalicelib.core import clock

FAILED_MS = 5 * 60_000
"""How long a document that couldn't be used isn't fetched again."""
FAILED_MAX = 1_000

_failed_until: dict[str, int] = {}
_under_way: dict[str, threading.Lock] = {}
_guard = threading.Lock()


def failed(client_id: str) -> None:
    """Remember that the document of a client can't be used; of too many the oldest is forgotten."""
    with _guard:
        _failed_until.pop(client_id, None)
        _failed_until[client_id] = clock.now_ms() + FAILED_MS
        if len(_failed_until) > FAILED_MAX:
            del _failed_until[next(iter(_failed_until))]


def has_failed(client_id: str) -> bool:
    """Return whether the document of a client couldn't be used within the last minutes."""
    until_ms = _failed_until.get(client_id)
    return until_ms is not None and clock.now_ms() < until_ms


@contextmanager
def alone(client_id: str) -> Iterator[bool]:
    """Let one thread at a time fetch a document; the others wait, and get False: it has been fetched meanwhile."""
    with _guard:
        lock = _under_way.setdefault(client_id, threading.Lock())
    came_first = lock.acquire(blocking=False)
    if not came_first:
        lock.acquire()
    try:
        yield came_first
    finally:
        if came_first:
            with _guard:
                del _under_way[client_id]
        lock.release()


def forget() -> None:
    """Forget every failure, as a cold start does."""
    _failed_until.clear()
