"""The last use of a key, read from the counters."""

from typing import Any

import pytest

from chalicelib.core import settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.limits.admission import admit
from chalicelib.limits.counter_items import COUNTERS_MAX, TABLE, item_key
from chalicelib.limits.recorded_usage import RequestUsage, route_name
from chalicelib.limits.tiers import ENTERPRISE, FREE, PRO
from chalicelib.limits.usage import Used, items_newest_first, last_used_hours, routes_used
from tests.support.harness import START_MS, TestApp

HOUR = START_MS // 1000


def test_last_use_has_the_precision_of_an_hour(latchkey: TestApp) -> None:
    """The last use is the newest hour with a counted request, in any tier."""
    admit("acc_1", FREE, counter="kAAAAAAA")
    latchkey.clock.forward(3_600 * 5 + 1800)
    admit("acc_1", PRO, counter="kAAAAAAA")
    admit("acc_1", PRO, counter="kBBBBBBB")
    latchkey.clock.forward(3_600)
    assert last_used_hours("acc_1", {"kAAAAAAA", "kBBBBBBB", "kCCCCCCC"}) == {
        "kAAAAAAA": HOUR + 5 * 3_600,
        "kBBBBBBB": HOUR + 5 * 3_600,
    }


def test_use_before_31_days_is_ignored(latchkey: TestApp) -> None:
    """Counters older than 31 days are ignored, whether or not DynamoDB has deleted them."""
    admit("acc_1", FREE, counter="kAAAAAAA")
    latchkey.clock.forward(32 * 86_400)
    assert last_used_hours("acc_1", {"kAAAAAAA"}) == {}


def test_use_of_another_account_is_not_visible(latchkey: TestApp) -> None:
    """An account's keys don't show the usage of another account."""
    admit("acc_1", FREE, counter="kAAAAAAA")
    assert last_used_hours("acc_2", {"kAAAAAAA"}) == {}


def test_last_use_costs_reads_only(latchkey: TestApp) -> None:
    """Showing a key's last use causes no write."""
    with telemetry.record_calls() as calls:
        last_used_hours("acc_1", {"kAAAAAAA"})
    assert {operation for operation, _ in calls.made} == {"Query"}


def record_use(counter: str, *routes: str) -> None:
    """Record requests of routes for a counter."""
    for route in routes:
        admit("acc_1", ENTERPRISE, counter=counter, shown=RequestUsage(route=route_name(route)))


def test_incomplete_hour_does_not_affect_a_key_unused_in_it(latchkey: TestApp) -> None:
    """An incomplete hour makes the record of a key incomplete only if the key was used in it."""
    record_use("kAAAAAAA", "GET /v1/mine")
    latchkey.clock.forward(3_600)
    record_use("kBBBBBBB", *(f"GET /v1/own/{number}" for number in range(40)))
    found = routes_used("acc_1", {"kAAAAAAA", "kBBBBBBB"}, since_s=HOUR)
    assert found["kAAAAAAA"] == Used(frozenset({route_name("GET /v1/mine")}), complete=True)
    assert not found["kBBBBBBB"].complete


def test_hour_with_other_counters_makes_every_key_incomplete(latchkey: TestApp) -> None:
    """An hour with unnamed counters makes every key's record incomplete, because an unnamed counter may belong to the
    key.
    """
    record_use("kAAAAAAA", "GET /v1/mine")
    latchkey.clock.forward(3_600)
    for number in range(COUNTERS_MAX + 1):
        record_use(f"k{number:07}", "GET /v1/mine")
    assert not routes_used("acc_1", {"kAAAAAAA"}, since_s=HOUR)["kAAAAAAA"].complete


def store_item(tier: Any, hour: int, **values: Any) -> None:
    """Store an item of counters."""
    item = item_key("acc_1", tier, hour) | values
    dynamodb.call("PutItem", {"TableName": settings.current().table(TABLE), "Item": item})


ONE = {"N": "1"}
ROUTE = "rAAA"


def test_items_are_returned_newest_first_from_all_pages(latchkey: TestApp) -> None:
    """Items from the requested hour on are returned newest first, from all pages."""
    for hours in range(4):
        store_item(PRO, HOUR + hours * 3_600, used=ONE, padding={"S": "x" * 300_000})
    store_item(FREE, HOUR + 3_600, used=ONE)
    found = [int(item["hour"]["N"]) for item in items_newest_first("acc_1", PRO, HOUR + 3_600)]
    assert found == [HOUR + hours * 3_600 for hours in (3, 2, 1)]


def test_last_use_stops_when_all_are_found(latchkey: TestApp) -> None:
    """Reading stops when every key's last use is known; the newest hour of all tiers counts."""
    for hours in range(8):
        store_item(FREE, HOUR + hours * 3_600, kAAAAAAA=ONE, padding={"S": "x" * 300_000})
    store_item(FREE, HOUR + 7 * 3_600, kAAAAAAA=ONE, kBBBBBBB=ONE)
    store_item(ENTERPRISE, HOUR + 2 * 3_600, kAAAAAAA=ONE, kBBBBBBB=ONE)
    latchkey.clock.forward(8 * 3_600)
    with telemetry.record_calls() as calls:
        found = last_used_hours("acc_1", {"kAAAAAAA", "kBBBBBBB"})
    assert found == {"kAAAAAAA": HOUR + 7 * 3_600, "kBBBBBBB": HOUR + 7 * 3_600}
    assert len(calls.made) == 3


def test_last_use_reads_on_for_missing_counters(latchkey: TestApp) -> None:
    """If a key's last use isn't found, each tier is read down to the oldest hour."""
    for hours, counter in ((9, "kAAAAAAA"), (5, "kBBBBBBB"), (1, "kCCCCCCC")):
        store_item(FREE, HOUR + hours * 3_600, **{counter: ONE})
    store_item(PRO, HOUR + 6 * 3_600, kBBBBBBB=ONE)
    latchkey.clock.forward(10 * 3_600)
    assert last_used_hours("acc_1", {"kAAAAAAA", "kBBBBBBB", "kCCCCCCC", "kDDDDDDD"}) == {
        "kAAAAAAA": HOUR + 9 * 3_600,
        "kBBBBBBB": HOUR + 6 * 3_600,
        "kCCCCCCC": HOUR + 1 * 3_600,
    }


@pytest.mark.parametrize(("late_s", "found"), [(0, {"kAAAAAAA": HOUR}), (1, {})])
def test_use_is_kept_for_31_days_to_the_second(latchkey: TestApp, late_s: int, found: dict[str, int]) -> None:
    """A use is visible until 31 days after the beginning of its hour."""
    admit("acc_1", FREE, counter="kAAAAAAA")
    latchkey.clock.forward(31 * 86_400 + late_s)
    assert last_used_hours("acc_1", {"kAAAAAAA"}) == found


def test_empty_request_makes_no_call(latchkey: TestApp) -> None:
    """Asking for the usage of no keys makes no database call."""
    with telemetry.record_calls() as calls:
        assert last_used_hours("acc_1", set()) == {}
        assert routes_used("acc_1", set(), since_s=HOUR) == {}
    assert calls.made == []


def test_unused_counter_has_a_complete_empty_record(latchkey: TestApp) -> None:
    """A key that was never used has a complete and empty record, which costs one Query call for each tier."""
    with telemetry.record_calls() as calls:
        assert routes_used("acc_1", {"kAAAAAAA"}, since_s=HOUR) == {"kAAAAAAA": Used(frozenset(), complete=True)}
    assert len(calls.made) == 3


def test_routes_of_all_hours_and_tiers_are_merged(latchkey: TestApp) -> None:
    """The routes of each key are merged from the requested hour on, across hours and tiers."""
    record_use("kAAAAAAA", "GET /v1/old")
    latchkey.clock.forward(3_600)
    record_use("kAAAAAAA", "GET /v1/mine")
    record_use("kBBBBBBB", "GET /v1/mine", "GET /v1/theirs")
    latchkey.clock.forward(3_600)
    admit("acc_1", FREE, counter="kAAAAAAA", shown=RequestUsage(route=route_name("GET /v1/other")))
    mine, expected, other = (route_name(f"GET /v1/{name}") for name in ("mine", "theirs", "other"))
    assert routes_used("acc_1", {"kAAAAAAA", "kBBBBBBB"}, since_s=HOUR + 3_600) == {
        "kAAAAAAA": Used(frozenset({mine, other}), complete=True),
        "kBBBBBBB": Used(frozenset({mine, expected}), complete=True),
    }


@pytest.mark.parametrize(
    ("item", "complete"),
    [
        ({"kAAAAAAA": ONE, ROUTE: {"SS": ["kAAAAAAA"]}}, True),
        ({"kAAAAAAA": ONE, ROUTE: {"SS": ["kBBBBBBB"]}}, False),
        ({"kAAAAAAA": ONE}, False),
        ({"kAAAAAAA": ONE, ROUTE: {"SS": ["kAAAAAAA"]}, "r_other": ONE}, False),
        ({"kAAAAAAA": ONE, ROUTE: {"SS": ["kAAAAAAA"]}, "other": ONE}, False),
        ({"kBBBBBBB": ONE, "r_other": ONE}, True),
        ({"kBBBBBBB": ONE}, True),
        ({"kBBBBBBB": ONE, "other": ONE}, False),
        ({"other": ONE}, False),
    ],
)
def test_record_is_complete_if_every_hour_is(latchkey: TestApp, item: dict[str, Any], complete: bool) -> None:
    """A record of several hours is incomplete if one of these hours is incomplete."""
    store_item(PRO, HOUR, **item)
    assert routes_used("acc_1", {"kAAAAAAA"}, since_s=HOUR)["kAAAAAAA"].complete is complete
    for hour in (HOUR - 3_600, HOUR + 3_600):
        store_item(PRO, hour, kAAAAAAA=ONE, rBBB={"SS": ["kAAAAAAA"]})
    assert routes_used("acc_1", {"kAAAAAAA"}, since_s=HOUR - 3_600)["kAAAAAAA"].complete is complete
