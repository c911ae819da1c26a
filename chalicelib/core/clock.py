"""The clock.

Only this module reads the time. Times are integers in UTC since the epoch; names end in the unit, `_ms` or `_s`.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

HOUR_S = 3600
DAY_S = 24 * HOUR_S

_read_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000  # noqa: E731 - `driven_by` replaces it
_elapsed_ns: Callable[[], int] = time.perf_counter_ns
_pause: Callable[[float], None] = time.sleep


def now_ms() -> int:
    """Return the current time in milliseconds since the epoch."""
    return _read_ms()


def now_s() -> int:
    """Return the current time in whole seconds since the epoch, rounded down."""
    return _read_ms() // 1000


def elapsed_ns() -> int:
    """Return the time of a monotonic clock in nanoseconds. Only differences between two values are meaningful."""
    return _elapsed_ns()


def monotonic_ns() -> int:
    """Return the time of the operating system's monotonic clock. It is used for socket timeouts.

    Tests never replace this clock.
    """
    return time.monotonic_ns()


def pause(seconds: float) -> None:
    """Sleep for some seconds."""
    _pause(seconds)


def hour_of(at_s: int) -> int:
    """Return the epoch second at which the clock hour that contains `at_s` began."""
    return at_s - at_s % HOUR_S


def iso(at_ms: int) -> str:
    """Return `at_ms` as ISO 8601 in UTC, to the second: `2026-01-31T09:30:00Z`."""
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rfc822(at_ms: int) -> str:
    """Return `at_ms` in the RFC 822 format that RSS feeds require: `Sat, 31 Jan 2026 09:30:00 GMT`."""
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")


@contextmanager
def use_wall_clock(read_ms: Callable[[], int]) -> Iterator[None]:
    """Read the wall clock from `read_ms` within a `with` block, for tests."""
    global _read_ms
    before, _read_ms = _read_ms, read_ms
    try:
        yield
    finally:
        _read_ms = before


@contextmanager
def use_monotonic_clock(elapsed_ns: Callable[[], int]) -> Iterator[None]:
    """Read the monotonic clock from `elapsed_ns` within a `with` block, for tests."""
    global _elapsed_ns
    before, _elapsed_ns = _elapsed_ns, elapsed_ns
    try:
        yield
    finally:
        _elapsed_ns = before


@contextmanager
def use_sleep(pause: Callable[[float], None]) -> Iterator[None]:
    """Replace sleeping by calls of `pause` within a `with` block, for simulations."""
    global _pause
    before, _pause = _pause, pause
    try:
        yield
    finally:
        _pause = before
