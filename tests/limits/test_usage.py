"""When a key was last used, from the counters."""

from chalicelib.core import telemetry
from chalicelib.limits.admission import admit
from chalicelib.limits.tiers import ENTERPRISE, FREE, PRO
from chalicelib.limits.traits import Traits, route_name
from chalicelib.limits.usage import Used, last_used_hours, routes_used
from chalicelib.limits.windows import COUNTERS_MAX
from tests.house import NOON_MS, House

HOUR = NOON_MS // 1000


def test_last_use_is_known_to_the_hour(home: House) -> None:
    """The hour of the newest counted request is found, whichever tier it was counted under."""
    admit("acc_1", FREE, counter="kAAAAAAA")
    home.clock.forward(3_600 * 5 + 1800)
    admit("acc_1", PRO, counter="kAAAAAAA")
    admit("acc_1", PRO, counter="kBBBBBBB")
    home.clock.forward(3_600)
    assert last_used_hours("acc_1", {"kAAAAAAA", "kBBBBBBB", "kCCCCCCC"}) == {
        "kAAAAAAA": HOUR + 5 * 3_600,
        "kBBBBBBB": HOUR + 5 * 3_600,
    }


def test_use_long_ago_is_forgotten(home: House) -> None:
    """After 31 days the counters are gone, whether or not the database has deleted them yet."""
    admit("acc_1", FREE, counter="kAAAAAAA")
    home.clock.forward(32 * 86_400)
    assert last_used_hours("acc_1", {"kAAAAAAA"}) == {}


def test_use_of_another_account_is_not_seen(home: House) -> None:
    """An account's counters are its own."""
    admit("acc_1", FREE, counter="kAAAAAAA")
    assert last_used_hours("acc_2", {"kAAAAAAA"}) == {}


def test_last_use_costs_reads_only(home: House) -> None:
    """Showing a key writes nothing."""
    with telemetry.calls_watched() as calls:
        last_used_hours("acc_1", {"kAAAAAAA"})
    assert {operation for operation, _ in calls.made} == {"Query"}


def used(counter: str, *routes: str) -> None:
    """Use routes under a counter."""
    for route in routes:
        admit("acc_1", ENTERPRISE, counter=counter, shown=Traits(route=route_name(route)))


def test_hour_that_names_not_every_route_says_nothing_about_a_key_that_was_not_used_in_it(home: House) -> None:
    """Of a key that was, it can't say all."""
    used("kAAAAAAA", "GET /v1/mine")
    home.clock.forward(3_600)
    used("kBBBBBBB", *(f"GET /v1/own/{number}" for number in range(40)))
    found = routes_used("acc_1", {"kAAAAAAA", "kBBBBBBB"}, since_s=HOUR)
    assert found["kAAAAAAA"] == Used(frozenset({route_name("GET /v1/mine")}), complete=True)
    assert not found["kBBBBBBB"].complete


def test_hour_in_which_some_found_no_counter_may_hide_any_key(home: House) -> None:
    """The key may be one of them."""
    used("kAAAAAAA", "GET /v1/mine")
    home.clock.forward(3_600)
    for number in range(COUNTERS_MAX + 1):
        used(f"k{number:07}", "GET /v1/mine")
    assert not routes_used("acc_1", {"kAAAAAAA"}, since_s=HOUR)["kAAAAAAA"].complete
