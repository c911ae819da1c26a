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
    """The hour of the newest counted request is found, in any tier."""
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
    """After 31 days counters are ignored, whether or not DynamoDB has deleted them."""
    admit("acc_1", FREE, counter="kAAAAAAA")
    latchkey.clock.forward(32 * 86_400)
    assert last_used_hours("acc_1", {"kAAAAAAA"}) == {}


def test_use_of_another_account_is_not_visible(latchkey: TestApp) -> None:
    """Counters are separate by account."""
    admit("acc_1", FREE, counter="kAAAAAAA")
    assert last_used_hours("acc_2", {"kAAAAAAA"}) == {}


def test_last_use_costs_reads_only(latchkey: TestApp) -> None:
    """Showing a key writes nothing."""
    with telemetry.record_calls() as calls:
        last_used_hours("acc_1", {"kAAAAAAA"})
    assert {operation for operation, _ in calls.made} == {"Query"}


def used(counter: str, *routes: str) -> None:
    """Use routes under a counter."""
    for route in routes:
        admit("acc_1", ENTERPRISE, counter=counter, shown=RequestUsage(route=route_name(route)))


def test_incomplete_hour_does_not_affect_a_key_unused_in_it(latchkey: TestApp) -> None:
    """For a key that was used, the record is incomplete."""
    used("kAAAAAAA", "GET /v1/mine")
    latchkey.clock.forward(3_600)
    used("kBBBBBBB", *(f"GET /v1/own/{number}" for number in range(40)))
    found = routes_used("acc_1", {"kAAAAAAA", "kBBBBBBB"}, since_s=HOUR)
    assert found["kAAAAAAA"] == Used(frozenset({route_name("GET /v1/mine")}), complete=True)
    assert not found["kBBBBBBB"].complete


def test_hour_with_other_counters_makes_every_key_incomplete(latchkey: TestApp) -> None:
    """The key may be one of those without a name."""
    used("kAAAAAAA", "GET /v1/mine")
    latchkey.clock.forward(3_600)
    for number in range(COUNTERS_MAX + 1):
        used(f"k{number:07}", "GET /v1/mine")
    assert not routes_used("acc_1", {"kAAAAAAA"}, since_s=HOUR)["kAAAAAAA"].complete


def put(tier: Any, hour: int, **values: Any) -> None:
    """Put one item of counters."""
    item = item_key("acc_1", tier, hour) | values
    dynamodb.call("PutItem", {"TableName": settings.current().table(TABLE), "Item": item})


ONE = {"N": "1"}
ROUTE = "rAAA"


def test_items_are_returned_newest_first_from_all_pages(latchkey: TestApp) -> None:
    """They start with the requested hour."""
    for hours in range(4):
        put(PRO, HOUR + hours * 3_600, used=ONE, padding={"S": "x" * 300_000})
    put(FREE, HOUR + 3_600, used=ONE)
    found = [int(item["hour"]["N"]) for item in items_newest_first("acc_1", PRO, HOUR + 3_600)]
    assert found == [HOUR + hours * 3_600 for hours in (3, 2, 1)]


def test_last_use_stops_when_all_are_found(latchkey: TestApp) -> None:
    """One page is enough if it has all; the newest hour of all tiers counts."""
    for hours in range(8):
        put(FREE, HOUR + hours * 3_600, kAAAAAAA=ONE, padding={"S": "x" * 300_000})
    put(FREE, HOUR + 7 * 3_600, kAAAAAAA=ONE, kBBBBBBB=ONE)
    put(ENTERPRISE, HOUR + 2 * 3_600, kAAAAAAA=ONE, kBBBBBBB=ONE)
    latchkey.clock.forward(8 * 3_600)
    with telemetry.record_calls() as calls:
        found = last_used_hours("acc_1", {"kAAAAAAA", "kBBBBBBB"})
    assert found == {"kAAAAAAA": HOUR + 7 * 3_600, "kBBBBBBB": HOUR + 7 * 3_600}
    assert len(calls.made) == 3


def test_last_use_reads_on_for_missing_counters(latchkey: TestApp) -> None:
    """Each tier is read down to the oldest hour."""
    for hours, counter in ((9, "kAAAAAAA"), (5, "kBBBBBBB"), (1, "kCCCCCCC")):
        put(FREE, HOUR + hours * 3_600, **{counter: ONE})
    put(PRO, HOUR + 6 * 3_600, kBBBBBBB=ONE)
    latchkey.clock.forward(10 * 3_600)
    assert last_used_hours("acc_1", {"kAAAAAAA", "kBBBBBBB", "kCCCCCCC", "kDDDDDDD"}) == {
        "kAAAAAAA": HOUR + 9 * 3_600,
        "kBBBBBBB": HOUR + 6 * 3_600,
        "kCCCCCCC": HOUR + 1 * 3_600,
    }


@pytest.mark.parametrize(("late_s", "found"), [(0, {"kAAAAAAA": HOUR}), (1, {})])
def test_use_is_kept_for_31_days_to_the_second(latchkey: TestApp, late_s: int, found: dict[str, int]) -> None:
    """The days count from the beginning of the hour."""
    admit("acc_1", FREE, counter="kAAAAAAA")
    latchkey.clock.forward(31 * 86_400 + late_s)
    assert last_used_hours("acc_1", {"kAAAAAAA"}) == found


def test_empty_request_makes_no_call(latchkey: TestApp) -> None:
    """An account without keys costs no call."""
    with telemetry.record_calls() as calls:
        assert last_used_hours("acc_1", set()) == {}
        assert routes_used("acc_1", set(), since_s=HOUR) == {}
    assert calls.made == []


def test_unused_counter_has_a_complete_empty_record(latchkey: TestApp) -> None:
    """The record costs one Query per tier."""
    with telemetry.record_calls() as calls:
        assert routes_used("acc_1", {"kAAAAAAA"}, since_s=HOUR) == {"kAAAAAAA": Used(frozenset(), complete=True)}
    assert len(calls.made) == 3


def test_routes_of_all_hours_and_tiers_are_merged(latchkey: TestApp) -> None:
    """They are merged from the requested hour on, for each counter separately."""
    used("kAAAAAAA", "GET /v1/old")
    latchkey.clock.forward(3_600)
    used("kAAAAAAA", "GET /v1/mine")
    used("kBBBBBBB", "GET /v1/mine", "GET /v1/theirs")
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
    """A single incomplete hour, before or after others, makes the record incomplete."""
    put(PRO, HOUR, **item)
    assert routes_used("acc_1", {"kAAAAAAA"}, since_s=HOUR)["kAAAAAAA"].complete is complete
    for hour in (HOUR - 3_600, HOUR + 3_600):
        put(PRO, hour, kAAAAAAA=ONE, rBBB={"SS": ["kAAAAAAA"]})
    assert routes_used("acc_1", {"kAAAAAAA"}, since_s=HOUR - 3_600)["kAAAAAAA"].complete is complete
