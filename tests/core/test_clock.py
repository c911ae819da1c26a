"""Hours and time formats of the clock, and the replacement of the clock in tests."""

import time

import pytest

from chalicelib.core import clock
from tests.support.harness import START_MS, TestApp


def test_hour_begins_on_the_full_hour() -> None:
    """An hour is in UTC and includes its first second."""
    assert clock.hour_of(1_639_994_400) == 1_639_994_400
    assert clock.hour_of(1_639_997_999) == 1_639_994_400
    assert clock.hour_of(1_639_998_000) == 1_639_998_000


def test_iso_time_is_utc_to_the_second() -> None:
    """A time in ISO format is in UTC, rounded down to the second, so that it is never in the future."""
    assert clock.iso(START_MS + 999) == "2021-12-20T10:00:00Z"
    assert clock.iso(0) == "1970-01-01T00:00:00Z"


def test_seconds_are_rounded_down(latchkey: TestApp) -> None:
    """The current time in seconds is the time in milliseconds, divided by 1,000 and rounded down."""
    latchkey.clock.forward(0.999)
    assert (clock.now_ms(), clock.now_s()) == (START_MS + 999, START_MS // 1000)


def test_feed_time_is_rfc822() -> None:
    """The times in a feed have the format of RFC 822, in UTC and to the second."""
    assert clock.rfc822(START_MS + 999) == "Mon, 20 Dec 2021 10:00:00 GMT"


def test_hour_and_day_have_their_seconds() -> None:
    """An hour has 3,600 seconds and a day 86,400."""
    assert (clock.HOUR_S, clock.DAY_S) == (3_600, 86_400)


def test_wall_clock_is_restored_after_a_block() -> None:
    """The system's clock is restored after the block, even if the block fails."""
    before_ms = time.time_ns() // 1_000_000
    with pytest.raises(ValueError, match=r"^fault$"), clock.use_wall_clock(lambda: 1):
        raise ValueError("fault")
    with clock.use_wall_clock(lambda: 1_999):
        with clock.use_wall_clock(lambda: 5):
            assert clock.now_ms() == 5
        assert (clock.now_ms(), clock.now_s()) == (1_999, 1)
    assert before_ms <= clock.now_ms() <= time.time_ns() // 1_000_000


def test_monotonic_clock_is_restored_after_a_block() -> None:
    """The monotonic clock is restored after the block, even if the block fails."""
    with pytest.raises(ValueError, match=r"^fault$"), clock.use_monotonic_clock(lambda: 1):
        raise ValueError("fault")
    with clock.use_monotonic_clock(lambda: 1):
        with clock.use_monotonic_clock(lambda: 5):
            assert clock.elapsed_ns() == 5
        assert clock.elapsed_ns() == 1
        before_ns = time.monotonic_ns()
        assert before_ns <= clock.monotonic_ns() <= time.monotonic_ns()
    before_ns = time.perf_counter_ns()
    assert before_ns <= clock.elapsed_ns() <= time.perf_counter_ns()


def test_pause_is_restored_after_a_block() -> None:
    """The system's sleep is restored after the block, even if the block fails."""
    outer: list[float] = []
    inner: list[float] = []
    with pytest.raises(ValueError, match=r"^fault$"), clock.use_sleep(outer.append):
        raise ValueError("fault")
    with clock.use_sleep(outer.append):
        with clock.use_sleep(inner.append):
            clock.pause(5)
        clock.pause(1)
    assert (outer, inner) == ([1], [5])
    assert clock._pause is time.sleep
