"""Layout of the counter items: the window at a given time, and the names of the counters."""

from dataclasses import replace

import pytest

from chalicelib.core import ids, settings
from chalicelib.limits import burst, counter_items
from chalicelib.limits.tiers import FREE
from tests.support.harness import START_MS, TestApp


@pytest.mark.parametrize(
    ("at_s", "hour_s", "slot"),
    [(0, 0, "s0"), (0.999, 0, "s0"), (1, 0, "s1"), (3599.999, 0, "s3599"), (3600, 3600, "s0")],
)
def test_moment_is_counted_in_its_hour_and_second(latchkey: TestApp, at_s: float, hour_s: int, slot: str) -> None:
    """A time on a boundary belongs to the hour or second that begins there."""
    window = counter_items.window_at("acc_1", FREE, START_MS + round(at_s * 1000))
    assert (window.hour, window.slot) == (START_MS // 1000 + hour_s, slot)
    assert window.slot_start * 1000 <= window.now_ms < window.slot_ends_ms


@pytest.mark.parametrize(("window_s", "slot", "starts_s"), [(1, "s59", 59), (10, "s5", 50), (60, "s0", 0)])
def test_burst_window_begins_at_a_multiple_of_its_length(
    latchkey: TestApp, window_s: int, slot: str, starts_s: int
) -> None:
    """A longer burst window begins at a multiple of its length."""
    with settings.override(replace(settings.current(), burst_window_s=window_s)):
        window = counter_items.window_at("acc_1", FREE, START_MS + 59_999)
        assert (window.slot, window.slot_start) == (slot, START_MS // 1000 + starts_s)
        assert window.slot_ends_ms == START_MS + (starts_s + window_s) * 1000


def test_past_slots_are_those_no_clock_can_be_in(latchkey: TestApp) -> None:
    """A burst window is past if it has ended even for a function with a slow clock. Other names are ignored."""
    window = counter_items.window_at("acc_1", FREE, START_MS + 60_000)
    oldest_kept = 60 - burst.SLOTS_KEPT_S
    names = ["used", "stale_at", f"s{oldest_kept - 1}", f"s{oldest_kept}", "s60", "s61", "s3", "k1234567", "hour"]
    assert burst.past_slots(names, window) == (f"s{oldest_kept - 1}", "s3")


def test_counter_name_has_eight_characters(latchkey: TestApp) -> None:
    """The counter of a key or OAuth client is named after the last characters of its id, which are random."""
    key_id, client_id = ids.new("key"), ids.new("app")
    assert counter_items.counter_of(key_id) == f"k{key_id[-7:]}"
    assert counter_items.counter_of(client_id) == f"c{client_id[-7:]}"


def test_past_slots_of_a_longer_burst_are_removed(latchkey: TestApp) -> None:
    """With windows of 10 s, a window that has just ended is kept, and one that ended 10 s ago is removed."""
    with settings.override(replace(settings.current(), burst_window_s=10)):
        window = counter_items.window_at("acc_1", FREE, START_MS + 60_000)
        assert burst.past_slots(["s3", "s4", "s5", "s6"], window) == ("s3", "s4")


def test_one_write_removes_at_most_100_slots(latchkey: TestApp) -> None:
    """A write removes at most 100 windows, because an expression has at most 4 KB; the next write removes more."""
    window = counter_items.window_at("acc_1", FREE, START_MS + 3_599_000)
    names = [f"s{number}" for number in range(1_000, 1_200)]
    removed = burst.past_slots(names, window)
    assert removed == tuple(names[: burst.REMOVED_PER_WRITE])
    assert 500 < len(" REMOVE " + ", ".join(removed)) < 1_000


def test_window_is_in_the_item_of_its_subject_tier_and_hour(latchkey: TestApp) -> None:
    """A window has the item key, the reset time and the deletion time that belong to its subject, tier and hour."""
    window = counter_items.window_at("acc_1", FREE, START_MS + 7_200_001)
    hour = START_MS // 1000 + 7_200
    assert window.item_key == ("acc_1#free", hour)
    assert window.hour_ends_ms == (hour + 3_600) * 1000
    assert counter_items.item_key("acc_1", FREE, hour) == {"subject": {"S": "acc_1#free"}, "hour": {"N": str(hour)}}
    assert counter_items.delete_at_s(FREE, hour) == hour + 31 * 86_400


def test_missing_number_is_zero() -> None:
    """A counter that is missing in the item counts as zero."""
    item = {"used": {"N": "12"}}
    assert (counter_items.number(item, "used"), counter_items.number(item, "s5")) == (12, 0)


def test_counters_are_key_and_client_names_of_eight_characters() -> None:
    """No other attribute's name has the form of a counter of a key or client."""
    named = ["kAAAAAAA", "cAAAAAAA"]
    others = ["used", "other", "refused", "s1234567", "nAAAAAAA", "fAAAAAAA", "qAAAAAAA", "kAAAAAA", "kAAAAAAAA", "c"]
    assert counter_items.counters({name: {"N": "1"} for name in [*others, *named]}) == set(named)
