"""When a key was last used, from the counters."""

from chalicelib.core import telemetry
from chalicelib.limits.admission import admit
from chalicelib.limits.tiers import FREE, PRO
from chalicelib.limits.usage import last_used_hours
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
