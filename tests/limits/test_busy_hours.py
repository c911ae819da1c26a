"""How busy each hour was, from the counters that requests leave behind anyway."""

from collections import Counter

from chalicelib.core import settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.limits import counter_items
from chalicelib.limits.admission import admit
from chalicelib.limits.tiers import FREE, PRO
from chalicelib.limits.usage import Hour, by_hour, under_tier
from tests.support.harness import START_MS, TestApp

NOON_S = START_MS // 1000


def test_hours_are_told_apart_and_by_counter(latchkey: TestApp) -> None:
    """Each hour has its own number, and in it each key."""
    for counter in ("kAAAAAAA", "kAAAAAAA", "kBBBBBBB"):
        admit("acc_1", FREE, counter=counter)
    latchkey.clock.forward(3_600)
    admit("acc_1", FREE, counter="kBBBBBBB")
    assert by_hour("acc_1", since_s=NOON_S) == {
        NOON_S: Hour(3, 0, Counter(kAAAAAAA=2, kBBBBBBB=1)),
        NOON_S + 3_600: Hour(1, 0, Counter(kBBBBBBB=1)),
    }


def test_hour_with_a_tier_change_in_it_is_one(latchkey: TestApp) -> None:
    """What was used, and refused, under either tier is one hour's use; each tier's own stays known."""
    latchkey.set_counters("acc_1", FREE, used=1_000, refused=30, kAAAAAAA=1_000)
    latchkey.set_counters("acc_1", PRO, used=12, refused=1, kAAAAAAA=10, kBBBBBBB=2)
    assert by_hour("acc_1", since_s=NOON_S) == {NOON_S: Hour(1_012, 31, Counter(kAAAAAAA=1_010, kBBBBBBB=2))}
    assert under_tier("acc_1", PRO, since_s=NOON_S)[NOON_S].used == 12


def test_what_has_no_room_by_name_is_counted_as_other(latchkey: TestApp) -> None:
    """The whole is right though an item names 30 counters at most."""
    for number in range(counter_items.COUNTERS_MAX + 5):
        latchkey.clock.forward(0.1)
        admit("acc_1", PRO, counter=f"k{number:07}")
    hour = by_hour("acc_1", since_s=NOON_S)[NOON_S]
    assert (hour.used, sum(hour.by_counter.values()), hour.by_counter[counter_items.OTHER]) == (35, 35, 5)


def test_only_what_was_asked_for_is_read(latchkey: TestApp) -> None:
    """An earlier hour isn't there, and a month is one Query a tier."""
    admit("acc_1", FREE)
    latchkey.clock.forward(7_200)
    admit("acc_1", FREE)
    with telemetry.calls_watched() as calls:
        assert list(by_hour("acc_1", since_s=NOON_S + 3_600)) == [NOON_S + 7_200]
    assert calls.made == [("Query", "latchkey-test-windows")] * 3


def test_month_in_many_pieces_is_read_whole(latchkey: TestApp) -> None:
    """DynamoDB answers a Query a megabyte at a time; all pieces are read."""
    for hours in range(4):
        key = counter_items.item_key("acc_1", PRO, NOON_S + hours * 3_600)
        item = key | {"used": {"N": "1"}, "padding": {"S": "x" * 300_000}}
        dynamodb.call("PutItem", {"TableName": settings.current().table(counter_items.TABLE), "Item": item})
    with telemetry.calls_watched() as calls:
        busy = under_tier("acc_1", PRO, since_s=NOON_S)
    assert len(calls.made) > 1
    assert [hour.used for hour in busy.values()] == [1] * 4
