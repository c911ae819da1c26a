"""Hours and written times."""

from chalicelib.core import clock
from tests.house import NOON_MS, House


def test_hour_begins_on_the_full_hour() -> None:
    """A clock hour is UTC's, whatever second of it is asked about."""
    assert clock.hour_of(1_639_994_400) == 1_639_994_400
    assert clock.hour_of(1_639_997_999) == 1_639_994_400
    assert clock.hour_of(1_639_998_000) == 1_639_998_000


def test_written_time_is_utc_to_the_second() -> None:
    """Times are ISO 8601 in UTC; fractions are cut, never rounded up into the future."""
    assert clock.iso(NOON_MS + 999) == "2021-12-20T10:00:00Z"
    assert clock.iso(0) == "1970-01-01T00:00:00Z"


def test_seconds_are_rounded_down(home: House) -> None:
    """Both readings of the clock agree."""
    home.clock.forward(0.999)
    assert (clock.now_ms(), clock.now_s()) == (NOON_MS + 999, NOON_MS // 1000)
