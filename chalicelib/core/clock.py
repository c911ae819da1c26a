"""The one reader of the clock. Times are whole numbers since the epoch, in UTC: `_ms` or `_s` says which."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

HOUR_S = 3600
DAY_S = 24 * HOUR_S

_read_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000  # noqa: E731 - replaced as a whole by `driven_by`
_elapsed_ns: Callable[[], int] = time.perf_counter_ns
_pause: Callable[[float], None] = time.sleep


def now_ms() -> int:
    """Return the wall clock in milliseconds."""
    return _read_ms()


def now_s() -> int:
    """Return the wall clock in whole seconds, rounded down."""
    return _read_ms() // 1000


def elapsed_ns() -> int:
    """Return a clock that never jumps; only differences mean anything."""
    return _elapsed_ns()


def monotonic_ns() -> int:
    """Return the operating system's own clock, which no test moves: for what is left of a wait on a socket."""
    return time.monotonic_ns()


def pause(seconds: float) -> None:
    """Wait."""
    _pause(seconds)


def hour_of(at_s: int) -> int:
    """Return the second in which the clock hour of `at_s` began."""
    return at_s - at_s % HOUR_S


def iso(at_ms: int) -> str:
    """Return `at_ms` as ISO 8601 in UTC, to the second: `2026-01-31T09:30:00Z`."""
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rfc822(at_ms: int) -> str:
    """Return `at_ms` as RFC 822 has it, which feeds want: `Sat, 31 Jan 2026 09:30:00 GMT`."""
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")


@contextmanager
def driven_by(read_ms: Callable[[], int]) -> Iterator[None]:
    """Take the time from `read_ms` for the length of a `with` block: how tests move the clock."""
    global _read_ms
    before, _read_ms = _read_ms, read_ms
    try:
        yield
    finally:
        _read_ms = before


@contextmanager
def measured_by(elapsed_ns: Callable[[], int]) -> Iterator[None]:
    """Measure by `elapsed_ns` for the length of a `with` block: how tests say how long something takes."""
    global _elapsed_ns
    before, _elapsed_ns = _elapsed_ns, elapsed_ns
    try:
        yield
    finally:
        _elapsed_ns = before


@contextmanager
def paused_by(pause: Callable[[float], None]) -> Iterator[None]:
    """Let `pause` do the waiting for the length of a `with` block: how a simulation makes it take no time."""
    global _pause
    before, _pause = _pause, pause
    try:
        yield
    finally:
        _pause = before
