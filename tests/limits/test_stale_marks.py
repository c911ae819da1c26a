"""Invalidation marks, which make a change take effect at the next request."""

import io
import json
from typing import Any

import pytest

from chalicelib.core import clock, settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.limits import stale_marks
from chalicelib.limits.counter_items import TABLE, item_key
from chalicelib.limits.tiers import ENTERPRISE, FREE, OF_ACCOUNTS, PRO, Tier
from tests.support.harness import START_MS, TestApp

HOUR = START_MS // 1000


def read_mark(tier: Tier, hour: int) -> int | None:
    """Return the invalidation mark on one counter item."""
    request = {"TableName": settings.current().table(TABLE), "Key": item_key("acc_1", tier, hour)}
    item = dynamodb.call("GetItem", request).get("Item", {})
    return int(item["stale_at"]["N"]) if "stale_at" in item else None


@pytest.mark.parametrize("tier", OF_ACCOUNTS, ids=lambda tier: tier.name)
def test_mark_is_set_in_this_and_the_next_hour_of_each_given_tier(latchkey: TestApp, tier: Tier) -> None:
    """A policy cached now may be used for 300 s, so this and the next hour of each given tier are marked."""
    latchkey.clock.forward(1800)
    assert stale_marks.mark("acc_1", OF_ACCOUNTS)
    now_ms = START_MS + 1_800_000
    assert (read_mark(tier, HOUR), read_mark(tier, HOUR + 3600)) == (now_ms, now_ms)
    assert read_mark(tier, HOUR - 3600) is None


def test_mark_of_one_tier_leaves_the_items_of_the_others(latchkey: TestApp) -> None:
    """Only the items of the given tiers are written and checked."""
    latchkey.clock.forward(1800)
    with telemetry.record_calls() as calls:
        assert stale_marks.mark("acc_1", [PRO])
    assert len(calls.made) == 2
    now_ms = latchkey.clock.now_ms
    assert [read_mark(tier, HOUR) for tier in OF_ACCOUNTS] == [None, now_ms, None]
    assert stale_marks.is_marked("acc_1", [PRO], now_ms)
    assert not stale_marks.is_marked("acc_1", [PRO, FREE], now_ms)


def test_mark_just_after_the_hour_is_set_in_the_last_one(latchkey: TestApp) -> None:
    """Just after the full hour the previous hour is marked, too, because a function with a slow clock still counts
    there.
    """
    latchkey.clock.forward(stale_marks.CLOCK_SKEW_S - 0.001)
    stale_marks.mark("acc_1", OF_ACCOUNTS)
    assert [read_mark(FREE, HOUR + hours * 3600) for hours in (-1, 0, 1)] == [latchkey.clock.now_ms] * 3


def test_mark_later_in_the_hour_skips_the_last_one(latchkey: TestApp) -> None:
    """Later in the hour the previous hour isn't marked, because no function counts there any more."""
    latchkey.clock.forward(stale_marks.CLOCK_SKEW_S)
    stale_marks.mark("acc_1", OF_ACCOUNTS)
    assert read_mark(FREE, HOUR - 3600) is None


def test_mark_increases_with_the_clock(latchkey: TestApp) -> None:
    """A later change sets a later mark, which also invalidates verifications that were made after the earlier
    change.
    """
    stale_marks.mark("acc_1", OF_ACCOUNTS)
    latchkey.clock.forward(1)
    stale_marks.mark("acc_1", OF_ACCOUNTS)
    assert read_mark(PRO, HOUR) == START_MS + 1_000


@pytest.mark.parametrize("behind_s", [0, 0.001, 5, 60])
def test_mark_increases_though_the_clock_is_behind(latchkey: TestApp, behind_s: float) -> None:
    """A change by a function with a slow clock increases the mark by a millisecond. A mark is never lowered."""
    stale_marks.mark("acc_1", OF_ACCOUNTS)
    latchkey.clock.forward(-behind_s)
    stale_marks.mark("acc_1", OF_ACCOUNTS)
    marks = [read_mark(tier, HOUR) for tier in OF_ACCOUNTS]
    assert marks == [START_MS + 1] * 3


def test_mark_counts_nothing(latchkey: TestApp) -> None:
    """A mark doesn't change the counted usage."""
    stale_marks.mark("acc_1", OF_ACCOUNTS)
    assert latchkey.counters("acc_1", ENTERPRISE).keys() == {"stale_at", "dies_at"}


def test_mark_uses_plain_updates(latchkey: TestApp) -> None:
    """Marks are written without a transaction, with which concurrent admissions would conflict."""
    with telemetry.record_calls() as calls:
        stale_marks.mark("acc_1", OF_ACCOUNTS)
    assert set(calls.made) == {("UpdateItem", "latchkey-test-windows")}


def test_lost_mark_is_reported(latchkey: TestApp) -> None:
    """A mark that can't be written is an error for the caller, and is logged with subject and reason."""
    log = io.StringIO()
    dynamodb.call("DeleteTable", {"TableName": settings.current().table(TABLE)})
    telemetry.write_to(log)
    assert stale_marks.mark("acc_1", OF_ACCOUNTS) is False
    logged, counted = map(json.loads, log.getvalue().splitlines())
    assert (logged["level"], logged["message"]) == ("ERROR", "stale_mark_lost")
    assert (logged["subject"], logged["code"]) == ("acc_1", "ResourceNotFoundException")
    assert counted["StaleMarkLost"] == 1


def test_verification_is_dated_back_by_the_clock_skew(latchkey: TestApp) -> None:
    """A verification is dated back by the clock skew, so that a change by a slower clock counts as newer."""
    assert stale_marks.verified_from(clock.now_ms()) == START_MS - 8_000


def test_change_is_marked_only_if_every_item_has_its_mark(latchkey: TestApp) -> None:
    """If one of the marks is missing, the change counts as not marked, so that the stream writes all marks again."""
    since_ms = clock.now_ms()
    latchkey.clock.forward(1)
    stale_marks.mark("acc_1", OF_ACCOUNTS)
    assert stale_marks.is_marked("acc_1", OF_ACCOUNTS, since_ms)
    for tier in OF_ACCOUNTS:
        request = {"TableName": settings.current().table(TABLE), "Key": item_key("acc_1", tier, HOUR)}
        item = dynamodb.call("GetItem", request)["Item"]
        for less in (item | {"stale_at": {"N": str(since_ms - 1)}}, {n: v for n, v in item.items() if n != "stale_at"}):
            dynamodb.call("PutItem", {"TableName": request["TableName"], "Item": less})
            assert not stale_marks.is_marked("acc_1", OF_ACCOUNTS, since_ms), tier
        dynamodb.call("DeleteItem", request)
        assert not stale_marks.is_marked("acc_1", OF_ACCOUNTS, since_ms), tier
        dynamodb.call("PutItem", {"TableName": request["TableName"], "Item": item})


@pytest.mark.parametrize(("earlier_ms", "is_marked"), [(-1, True), (0, True), (1, False)])
def test_change_is_marked_by_a_mark_of_its_time_or_later(latchkey: TestApp, earlier_ms: int, is_marked: bool) -> None:
    """A mark whose time is before the change doesn't count, because it belongs to an earlier change."""
    stale_marks.mark("acc_1", OF_ACCOUNTS)
    assert stale_marks.is_marked("acc_1", OF_ACCOUNTS, latchkey.clock.now_ms + earlier_ms) is is_marked


def test_marks_are_read_consistently_in_the_current_hour(latchkey: TestApp) -> None:
    """Marks are read with strong consistency, because an eventually consistent read may miss a new one."""
    latchkey.clock.forward(1800)
    since_ms = clock.now_ms()
    stale_marks.mark("acc_1", OF_ACCOUNTS)
    latchkey.clock.forward(3_600)
    bodies: list[Any] = []
    through = dynamodb.sender()

    def send(operation: str, body: dynamodb.Json) -> dynamodb.Json:
        bodies.append(body["RequestItems"]["latchkey-test-windows"])
        return through(operation, body)

    with dynamodb.use_sender(send):
        assert stale_marks.is_marked("acc_1", OF_ACCOUNTS, since_ms)
    assert [body["ConsistentRead"] for body in bodies] == [True]
    latchkey.clock.forward(3_600)
    assert not stale_marks.is_marked("acc_1", OF_ACCOUNTS, since_ms)


@pytest.mark.parametrize("behind_s", [0, 1])
def test_marked_item_is_kept_as_long_as_its_tier_requires(latchkey: TestApp, behind_s: int) -> None:
    """A new or increased mark sets the time of deletion that its tier requires."""
    stale_marks.mark("acc_1", OF_ACCOUNTS)
    latchkey.clock.forward(-behind_s)
    stale_marks.mark("acc_1", OF_ACCOUNTS)
    for hours in (0, 1):
        request = {"TableName": settings.current().table(TABLE), "Key": item_key("acc_1", PRO, HOUR + hours * 3_600)}
        assert dynamodb.call("GetItem", request)["Item"]["dies_at"] == {"N": str(HOUR + hours * 3_600 + 31 * 86_400)}
