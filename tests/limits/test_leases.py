"""Leases: few writes for an account without a quota that asks often, and no limit that is any less exact."""

from itertools import pairwise

import pytest

from chalicelib.core import telemetry
from chalicelib.limits import leases, stale_marks
from chalicelib.limits.admission import NEVER_STALE, Refused, Stale, admit
from chalicelib.limits.tiers import ENTERPRISE, PRO, Tier
from tests.support.harness import TestApp

WHO, KEY, OTHER_KEY = "acc_busy", "kaaaaaaa", "kbbbbbbb"


def in_one_second(latchkey: TestApp, requests: int, *, tier: Tier = ENTERPRISE, counter: str = KEY) -> tuple[int, int]:
    """Send so many requests evenly over a second that begins now; return how many passed, and the writes they took."""
    began_ms, passed = latchkey.clock.now_ms, 0
    with telemetry.calls_watched() as calls:
        for number in range(requests):
            latchkey.clock.now_ms = began_ms + number * 1000 // requests
            try:
                admit(WHO, tier, counter=counter)
                passed += 1
            except Refused:
                pass
    latchkey.clock.now_ms = began_ms + 1000
    return passed, len(calls.made)


@pytest.fixture
def busy(latchkey: TestApp) -> TestApp:
    """A house that has just seen a second of 100 requests."""
    assert in_one_second(latchkey, 100) == (100, 100)
    return latchkey


def test_steady_rate_takes_a_tenth_of_the_writes(busy: TestApp) -> None:
    """Once the rate was seen."""
    for _ in range(3):
        passed, writes = in_one_second(busy, 100)
        assert passed == 100
        assert writes <= 20


def test_usage_is_what_was_let_through(busy: TestApp) -> None:
    """What a lease left unspent is taken off again, from the account and from the key."""
    for requests in (100, 37, 90, 5, 100):
        in_one_second(busy, requests)
    for _ in range(2):
        # A second of so few that none of them takes more than one.
        in_one_second(busy, 1)
    counters = busy.counters(WHO, ENTERPRISE)
    assert counters["used"] == counters[KEY] == 100 + 100 + 37 + 90 + 5 + 100 + 2


def test_what_is_left_is_dropped_with_its_second(busy: TestApp) -> None:
    """Another second's burst is not touched by it."""
    admit(WHO, ENTERPRISE, counter=KEY)
    busy.clock.forward(1)
    with telemetry.calls_watched() as calls:
        admit(WHO, ENTERPRISE, counter=KEY)
    assert len(calls.made) == 1


def test_burst_is_exact(latchkey: TestApp) -> None:
    """At a rate far above it, second after second."""
    for _ in range(2):
        assert in_one_second(latchkey, 1_200)[0] == 1_000


def test_functions_together_never_exceed_the_burst(busy: TestApp) -> None:
    """Each has a memory of its own."""
    memories = [leases._callers.copy() for _ in range(8)]
    for _ in range(2):
        busy.forget()
        passed = 0
        for mine in memories:
            leases._callers.clear()
            leases._callers.update(mine)
            began_ms = busy.clock.now_ms
            passed += in_one_second(busy, 150)[0]
            busy.clock.now_ms = began_ms
            mine.clear()
            mine.update(leases._callers)
        counters = busy.counters(WHO, ENTERPRISE)
        assert max(count for name, count in counters.items() if name[0] == "s" and name[1:].isdigit()) <= 1_000
        assert passed <= 1_000
        busy.clock.forward(1)


def test_leases_end_at_four_fifths_of_the_burst(busy: TestApp) -> None:
    """Above that, every request is counted by itself, so that all of the burst can be used."""
    busy.set_counters(WHO, ENTERPRISE, burst=795)
    with telemetry.calls_watched() as calls:
        for _ in range(205):
            admit(WHO, ENTERPRISE, counter=KEY)
        with pytest.raises(Refused):
            admit(WHO, ENTERPRISE, counter=KEY)
    # One found no room, and was sent again for one.
    assert len(calls.made) == 1 + 205 + 1


def test_lease_that_found_no_room_says_what_is_left(busy: TestApp) -> None:
    """It was one admission after all, and the headers count one."""
    busy.set_counters(WHO, ENTERPRISE, burst=795)
    assert admit(WHO, ENTERPRISE, counter=KEY).burst_left == 204


def test_quota_is_counted_request_by_request(latchkey: TestApp) -> None:
    """At any rate: a lease would make it inexact."""
    for _ in range(3):
        assert in_one_second(latchkey, 100, tier=PRO) == (100, 100)


def test_keys_do_not_spend_each_others(busy: TestApp) -> None:
    """Each is counted by its own name."""
    admit(WHO, ENTERPRISE, counter=KEY)
    with telemetry.calls_watched() as calls:
        admit(WHO, ENTERPRISE, counter=OTHER_KEY)
    assert len(calls.made) == 1


def test_change_is_noticed_within_a_second(busy: TestApp) -> None:
    """By the caller that holds a lease; what is held is not renewed."""
    verified_at_ms = stale_marks.verified_from(busy.clock.now_ms)
    admit(WHO, ENTERPRISE, counter=KEY, verified_at_ms=verified_at_ms)
    stale_marks.mark(WHO)
    for _ in range(9):
        admit(WHO, ENTERPRISE, counter=KEY, verified_at_ms=verified_at_ms)
    with pytest.raises(Stale):
        admit(WHO, ENTERPRISE, counter=KEY, verified_at_ms=verified_at_ms)


def test_older_verdict_spends_nothing_of_a_newer_one(busy: TestApp) -> None:
    """A revoked key's cached verdict must not live on what a fresh one takes."""
    admit(WHO, ENTERPRISE, counter=KEY, verified_at_ms=NEVER_STALE)
    stale_marks.mark(WHO)
    with pytest.raises(Stale):
        admit(WHO, ENTERPRISE, counter=KEY, verified_at_ms=stale_marks.verified_from(busy.clock.now_ms))


def test_clock_that_is_set_back_revives_nothing(busy: TestApp) -> None:
    """What was taken later counts in another second."""
    busy.clock.forward(1)
    in_one_second(busy, 100)
    busy.clock.forward(-3)
    with telemetry.calls_watched() as calls:
        admit(WHO, ENTERPRISE, counter=KEY)
    assert len(calls.made) == 1


def test_headers_count_down_by_one(busy: TestApp) -> None:
    """Whether or not a request was written by itself."""
    left = [admit(WHO, ENTERPRISE, counter=KEY).burst_left for _ in range(25)]
    assert left[0] == 999
    assert all(earlier - later == 1 for earlier, later in pairwise(left))
