"""Usage of each hour, read from the counters."""

from collections import Counter

from chalicelib.core import settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.limits import counter_items
from chalicelib.limits.admission import admit
from chalicelib.limits.tiers import FREE, PRO
from chalicelib.limits.usage import Hour, by_hour, under_tier
from tests.support.harness import START_MS, TestApp

NOON_S = START_MS // 1000


def test_hours_are_reported_separately_and_by_counter(latchkey: TestApp) -> None:
    """Each hour has its own total and a count for each key."""
    for counter in ("kAAAAAAA", "kAAAAAAA", "kBBBBBBB"):
        admit("acc_1", FREE, counter=counter)
    latchkey.clock.forward(3_600)
    admit("acc_1", FREE, counter="kBBBBBBB")
    assert by_hour("acc_1", since_s=NOON_S) == {
        NOON_S: Hour(3, 0, Counter(kAAAAAAA=2, kBBBBBBB=1)),
        NOON_S + 3_600: Hour(1, 0, Counter(kBBBBBBB=1)),
    }


def test_hour_with_a_tier_change_is_merged(latchkey: TestApp) -> None:
    """After a tier change, the requests of one hour under both tiers are added up. The numbers of each tier can be
    read, too.
    """
    latchkey.set_counters("acc_1", FREE, used=1_000, refused=30, kAAAAAAA=1_000)
    latchkey.set_counters("acc_1", PRO, used=12, refused=1, kAAAAAAA=10, kBBBBBBB=2)
    assert by_hour("acc_1", since_s=NOON_S) == {NOON_S: Hour(1_012, 31, Counter(kAAAAAAA=1_010, kBBBBBBB=2))}
    assert under_tier("acc_1", PRO, since_s=NOON_S)[NOON_S].used == 12


def test_unnamed_counters_are_counted_as_other(latchkey: TestApp) -> None:
    """The total includes requests that are counted as `other`, because an item names at most 30 counters."""
    for number in range(counter_items.COUNTERS_MAX + 5):
        latchkey.clock.forward(0.1)
        admit("acc_1", PRO, counter=f"k{number:07}")
    hour = by_hour("acc_1", since_s=NOON_S)[NOON_S]
    assert (hour.used, sum(hour.by_counter.values()), hour.by_counter[counter_items.OTHER]) == (35, 35, 5)


def test_only_the_requested_hours_are_read(latchkey: TestApp) -> None:
    """Hours before the requested time aren't read, and the usage of a month costs one Query call for each tier."""
    admit("acc_1", FREE)
    latchkey.clock.forward(7_200)
    admit("acc_1", FREE)
    with telemetry.record_calls() as calls:
        assert list(by_hour("acc_1", since_s=NOON_S + 3_600)) == [NOON_S + 7_200]
    assert calls.made == [("Query", "latchkey-test-windows")] * 3


def test_paginated_month_is_read_completely(latchkey: TestApp) -> None:
    """All pages of a month are read, because DynamoDB returns at most 1 MB for each Query call."""
    for hours in range(4):
        key = counter_items.item_key("acc_1", PRO, NOON_S + hours * 3_600)
        item = key | {"used": {"N": "1"}, "padding": {"S": "x" * 300_000}}
        dynamodb.call("PutItem", {"TableName": settings.current().table(counter_items.TABLE), "Item": item})
    with telemetry.record_calls() as calls:
        busy = under_tier("acc_1", PRO, since_s=NOON_S)
    assert len(calls.made) > 1
    assert [hour.used for hour in busy.values()] == [1] * 4
