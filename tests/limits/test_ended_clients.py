"""The item that holds the clients that ended within the last six minutes."""

import io
import json
import threading
from collections.abc import Callable

import pytest

from chalicelib.core import clock, settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import DynamoDBError
from chalicelib.limits import ended_clients
from chalicelib.limits.counter_items import TABLE
from chalicelib.limits.ended_clients import ENTRIES_MAX, KEPT_MS
from tests.support.harness import START_MS, TestApp
from tests.support.interleaving import fail_calls, fail_marks, run_before


def read_item() -> dynamodb.Json:
    """Return the item as it is stored."""
    request = {"TableName": settings.current().table(TABLE), "Key": ended_clients.KEY}
    item: dynamodb.Json = dynamodb.call("GetItem", request).get("Item", {})
    return item


def count_entries() -> int:
    """Return the number of ends in the item."""
    return len(read_item().get("ended", {}).get("SS", []))


def many(number: int, name: str = "app") -> list[str]:
    """Return this number of client ids."""
    return [f"{name}_{each}" for each in range(number)]


def test_end_is_recorded_with_its_time(latchkey: TestApp) -> None:
    """Each recorded client has the time of its record; other clients haven't ended."""
    assert ended_clients.record(["app_1", "app_2"])
    latchkey.clock.forward(1)
    assert ended_clients.record(["app_2"])
    known = ended_clients.read()
    assert [known.ended_at_ms(each) for each in ("app_1", "app_2", "app_3")] == [START_MS, START_MS + 1_000, 0]


def test_earlier_clock_hides_no_later_end(latchkey: TestApp) -> None:
    """If a function with a slow clock records an end again, the latest time counts."""
    ended_clients.record(["app_1"])
    latchkey.clock.forward(-3)
    ended_clients.record(["app_1"])
    assert ended_clients.read().ended_at_ms("app_1") == START_MS


def test_item_is_read_consistently_and_costs_one_call(latchkey: TestApp) -> None:
    """An end is one write, and reading the ends is one consistent read."""
    with telemetry.record_calls() as calls:
        ended_clients.record(many(50))
        ended_clients.read()
    assert [operation for operation, _ in calls.made] == ["UpdateItem", "GetItem"]
    assert ended_clients.record([])
    assert count_entries() == 50


def test_missing_item_means_no_end(latchkey: TestApp) -> None:
    """Before the first end there is no item, and no client has ended."""
    assert ended_clients.read().ended_at_ms("app_1") == 0


@pytest.mark.parametrize(("ms_later", "is_kept"), [(KEPT_MS, True), (KEPT_MS + 1, False)])
def test_end_is_removed_by_a_record_six_minutes_later(latchkey: TestApp, ms_later: int, is_kept: bool) -> None:
    """A record removes the ends that are older than six minutes, and the TTL the item that is no longer written."""
    ended_clients.record(["app_1"])
    latchkey.clock.now_ms += ms_later
    ended_clients.record(["app_2"])
    assert ended_clients.read().ended_at_ms("app_1") == (START_MS if is_kept else 0)
    assert ended_clients.read().ended_at_ms("app_2") == clock.now_ms()
    assert int(read_item()["dies_at"]["N"]) * 1000 > clock.now_ms() + KEPT_MS


def test_end_recorded_during_a_removal_is_kept(latchkey: TestApp) -> None:
    """An end that another function records between the write and the removal of old ends isn't removed."""
    ended_clients.record(["app_1"])
    latchkey.clock.now_ms += KEPT_MS + 1
    writes = 0

    def once_more() -> None:
        nonlocal writes
        writes += 1
        if writes == 2:
            ended_clients.record(["app_1", "app_3"])

    with run_before("UpdateItem", once_more, times=2):
        ended_clients.record(["app_2"])
    known = ended_clients.read()
    assert {known.ended_at_ms(each) for each in ("app_1", "app_2", "app_3")} == {clock.now_ms()}


def test_concurrent_records_lose_no_end(latchkey: TestApp) -> None:
    """Of ends that many threads record at the same time, none is lost."""
    wanted = many(24)
    threads = [threading.Thread(target=ended_clients.record, args=([each],)) for each in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    known = ended_clients.read()
    assert [each for each in wanted if not known.ended_at_ms(each)] == []


def test_too_many_ends_are_replaced_by_one_time(latchkey: TestApp) -> None:
    """If there are too many ends, one time replaces them, before which tokens of every client are stale."""
    ended_clients.record(many(ENTRIES_MAX))
    assert ended_clients.read().ended_at_ms("app_other") == 0
    assert count_entries() == ENTRIES_MAX
    latchkey.clock.forward(1)
    ended_clients.record(["app_last"])
    assert count_entries() == 0
    known = ended_clients.read()
    assert {known.ended_at_ms(each) for each in ("app_0", "app_last", "app_other")} == {START_MS + 1_000}


def test_full_item_costs_one_read_unit(latchkey: TestApp) -> None:
    """The item with the maximum number of ends is smaller than 4 KB, which one consistent read unit covers."""
    ended_clients.record(many(ENTRIES_MAX))
    item = read_item()
    assert len(item["ended"]["SS"]) == ENTRIES_MAX
    assert len(json.dumps(item)) < 4_096 * 1.2
    assert sum(len(entry) + 1 for entry in item["ended"]["SS"]) < 3_800


def test_time_of_an_overflow_never_decreases(latchkey: TestApp) -> None:
    """An overflow that a function with a slow clock finds keeps the later time, and removes its ends."""
    latchkey.clock.forward(3)
    ended_clients.record(many(ENTRIES_MAX + 1))
    latchkey.clock.forward(-3)
    ended_clients.record(many(ENTRIES_MAX + 1, "other"))
    assert count_entries() == 0
    assert ended_clients.read().ended_at_ms("other_1") == START_MS + 3_000


def test_unwritten_end_is_reported_and_counted(latchkey: TestApp) -> None:
    """If an end can't be written, the caller gets False and the operator the metric of a lost mark."""
    log = io.StringIO()
    telemetry.write_to(log)
    with fail_marks():
        assert not ended_clients.record(["app_1"])
    assert "client_end_lost" in log.getvalue()
    assert "StaleMarkLost" in log.getvalue()
    with fail_calls("GetItem", TABLE):
        assert not ended_clients.record_missing(["app_1"], since_ms=START_MS)


def test_failed_removal_doesnt_lose_the_end(latchkey: TestApp) -> None:
    """If the ends can't be cleaned up, the new end is recorded nevertheless; the next record cleans up."""
    ended_clients.record(["app_1"])
    latchkey.clock.now_ms += KEPT_MS + 1
    send = dynamodb.sender()

    def losing(operation: str, request: dynamodb.Json) -> dynamodb.Json:
        if "DELETE" in request.get("UpdateExpression", ""):
            raise DynamoDBError("AccessDeniedException", "not today", {})
        return send(operation, request)

    with dynamodb.use_sender(losing):
        assert ended_clients.record(["app_2"])
    assert count_entries() == 2
    ended_clients.record(["app_3"])
    assert count_entries() == 2


def _record(client_id: str) -> Callable[[], bool]:
    return lambda: ended_clients.record([client_id])


@pytest.mark.parametrize(
    ("before", "ms_ago", "written"),
    [
        (None, 1_000, True),
        (_record("app_1"), 0, False),
        (_record("app_1"), 1_000, False),
        (_record("app_2"), 1_000, True),
        (None, KEPT_MS, True),
        (None, KEPT_MS + 1, False),
    ],
    ids=["missing", "now", "recorded", "another", "within_six_minutes", "too_long_ago"],
)
def test_only_missing_ends_are_recorded_again(
    latchkey: TestApp, before: Callable[[], bool] | None, ms_ago: int, written: bool
) -> None:
    """Follow-up work records an end only if it isn't recorded and a policy from before may still be cached."""
    if before is not None:
        before()
    with telemetry.record_calls() as calls:
        assert ended_clients.record_missing(["app_1"], since_ms=clock.now_ms() - ms_ago)
    assert ([operation for operation, _ in calls.made].count("UpdateItem") == 1) is written


def test_end_before_the_present_one_is_not_enough(latchkey: TestApp) -> None:
    """A client that ended before and was reinstated is recorded again."""
    ended_clients.record(["app_1"])
    latchkey.clock.forward(60)
    assert ended_clients.record_missing(["app_1"], since_ms=clock.now_ms())
    assert ended_clients.read().ended_at_ms("app_1") == clock.now_ms()
