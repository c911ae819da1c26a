"""Refusals for people to see: added up in the process, written in passing, never at a price."""

import pytest

from chalicelib.core import settings, telemetry, wire
from chalicelib.limits import refusals, windows
from chalicelib.limits.admission import Refused, admit
from chalicelib.limits.tiers import Tier
from chalicelib.limits.windows import Window
from tests.house import House

BURST = Tier("free", 1_000, 2)
QUOTA = Tier("free", 2, 50)


def refuse(tier: Tier, times: int = 1, subject: str = "acc_1") -> int:
    """Be refused so many times, and return how many calls that cost."""
    with telemetry.calls_watched() as calls:
        for _ in range(times):
            with pytest.raises(Refused):
                admit(subject, tier)
    return len(calls.made)


def spend(home: House, tier: Tier, subject: str = "acc_1") -> None:
    """Use up what there is."""
    for _ in range(2):
        admit(subject, tier)


def window(home: House, subject: str = "acc_1") -> Window:
    """Return the window of now."""
    return windows.window_at(subject, QUOTA, home.clock.now_ms)


def test_refusals_are_written_with_the_next_admission(home: House) -> None:
    """The write that lets the next request through carries the sum; there is no other."""
    spend(home, BURST)
    assert refuse(BURST, 7) == 1
    assert "refused" not in home.counters("acc_1")
    home.clock.forward(1)
    with telemetry.calls_watched() as calls:
        admit("acc_1", BURST)
    assert calls.made == [("UpdateItem", "latchkey-test-windows")]
    assert home.counters("acc_1")["refused"] == 7
    admit("acc_1", BURST)
    assert home.counters("acc_1")["refused"] == 7


def test_refusals_cost_no_call_for_ten_seconds(home: House) -> None:
    """The first is the database's own answer; those that follow are remembered and added up."""
    spend(home, QUOTA)
    assert refuse(QUOTA) == 1
    for _ in range(9):
        home.clock.forward(1)
        assert refuse(QUOTA, 10) == 0
    home.clock.forward(0.999)
    assert refuse(QUOTA) == 0


def test_refusals_are_written_by_themselves_after_ten_seconds(home: House) -> None:
    """A caller who is never admitted is seen all the same: one write for all of them."""
    spend(home, QUOTA)
    refuse(QUOTA, 50)
    home.clock.forward(10)
    # One call asks whether the quota is still spent, one writes the sum.
    assert refuse(QUOTA) == 2
    assert home.counters("acc_1")["refused"] == 51
    assert home.counters("acc_1")["used"] == 2


def test_refusals_of_two_subjects_are_their_own(home: House) -> None:
    """Nobody's refusals are written with another's admission."""
    spend(home, BURST, "acc_1")
    spend(home, BURST, "acc_2")
    refuse(BURST, 3, "acc_1")
    refuse(BURST, 5, "acc_2")
    home.clock.forward(1)
    admit("acc_1", BURST)
    assert home.counters("acc_1")["refused"] == 3
    assert "refused" not in home.counters("acc_2")


def test_refusals_that_cant_be_written_are_tried_again_after_ten_seconds(home: House) -> None:
    """While the database is away a flood of refusals asks it once in ten seconds, and loses none of the sum."""
    refusals.note(window(home))
    wire.call("DeleteTable", {"TableName": settings.current().table("windows")})
    asked = []
    for forward_s in (9.999, 0.001, 1, 8.999, 0.001):
        home.clock.forward(forward_s)
        with telemetry.calls_watched() as calls:
            refusals.note(window(home))
        asked.append(len(calls.made))
    assert asked == [0, 1, 0, 0, 1]
    assert refusals.held(window(home)).refused == 6


def test_refusals_of_many_are_not_remembered_without_end(home: House) -> None:
    """A flood of strangers fills no memory: the oldest sums are forgotten."""
    for number in range(refusals.ITEMS_MAX + 10):
        refusals.note(window(home, f"ip_{number}"))
    assert refusals.held(window(home, "ip_0")).refused == 0
    assert refusals.held(window(home, f"ip_{refusals.ITEMS_MAX + 9}")).refused == 1


def test_refusal_during_the_write_is_not_lost(home: House) -> None:
    """What came while a sum was being written stays for the next one."""
    for _ in range(3):
        refusals.note(window(home))
    with refusals.taken(window(home)) as carried:
        refusals.note(window(home))
    assert carried.refused == 3
    assert refusals.held(window(home)).refused == 1


def test_refusals_are_carried_by_one_write_only(home: House) -> None:
    """While one write is on its way with a sum, the next has nothing to carry; each refusal is counted once."""
    for _ in range(5):
        refusals.note(window(home), "kAAAAAAA")
    with refusals.taken(window(home)) as first, refusals.taken(window(home)) as second:
        assert (first.refused, dict(first.by_name)) == (5, {"qAAAAAAA": 5})
        assert second is refusals.NONE
    assert refusals.held(window(home)) is refusals.NONE


def test_refusals_of_a_write_that_fails_are_given_back(home: House) -> None:
    """By name, too, and held since the same moment as before."""
    refusals.note(window(home), "kAAAAAAA")
    home.clock.forward(9)
    with pytest.raises(wire.WireError), refusals.taken(window(home)):
        wire.call("GetItem", {"TableName": settings.current().table("nothing"), "Key": {"id": {"S": "x"}}})
    assert refusals.held(window(home)) == refusals.Sum(1, {"qAAAAAAA": 1})
    home.clock.forward(1)
    refusals.note(window(home))
    assert home.counters("acc_1")["refused"] == 2
    assert home.counters("acc_1")["qAAAAAAA"] == 1


def test_log_in_attempts_that_are_refused_stay_with_their_own_counters(home: House) -> None:
    """A refused guess is not among the refusals of the account that was guessed at."""
    tier = Tier("log-in-email", 1, 1)
    admit("log-in-email_x", tier)
    refuse(tier, 3, "log-in-email_x")
    home.clock.forward(3_600)
    admit("log-in-email_x", tier)
    assert home.counters("acc_1") == {}
