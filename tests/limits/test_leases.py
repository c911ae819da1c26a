"""Leases: fewer writes for a busy account without a quota, with limits as exact as before."""

from itertools import pairwise

import pytest

from chalicelib.core import telemetry
from chalicelib.limits import leases, stale_marks
from chalicelib.limits.admission import NEVER_STALE, Rejected, Stale, admit
from chalicelib.limits.tiers import ENTERPRISE, PRO, Tier
from tests.support.harness import TestApp

SUBJECT, KEY, OTHER_KEY = "acc_busy", "kaaaaaaa", "kbbbbbbb"


def in_one_second(latchkey: TestApp, requests: int, *, tier: Tier = ENTERPRISE, counter: str = KEY) -> tuple[int, int]:
    """Send `requests` evenly over one second from now. Returns how many were admitted, and the number of writes."""
    began_ms, passed = latchkey.clock.now_ms, 0
    with telemetry.record_calls() as calls:
        for number in range(requests):
            latchkey.clock.now_ms = began_ms + number * 1000 // requests
            try:
                admit(SUBJECT, tier, counter=counter)
                passed += 1
            except Rejected:
                pass
    latchkey.clock.now_ms = began_ms + 1000
    return passed, len(calls.made)


@pytest.fixture
def busy(latchkey: TestApp) -> TestApp:
    """A harness after one second of 100 requests."""
    assert in_one_second(latchkey, 100) == (100, 100)
    return latchkey


def test_steady_rate_needs_a_tenth_of_the_writes(busy: TestApp) -> None:
    """This holds once the rate is known."""
    for _ in range(3):
        passed, writes = in_one_second(busy, 100)
        assert passed == 100
        assert writes <= 20


def test_usage_is_what_was_admitted(busy: TestApp) -> None:
    """Unspent admissions are subtracted, from the account and from the key."""
    for requests in (100, 37, 90, 5, 100):
        in_one_second(busy, requests)
    for _ in range(2):
        # A second with so few requests that each reserves one admission.
        in_one_second(busy, 1)
    counters = busy.counters(SUBJECT, ENTERPRISE)
    assert counters["used"] == counters[KEY] == 100 + 100 + 37 + 90 + 5 + 100 + 2


def test_unspent_lease_expires_with_its_second(busy: TestApp) -> None:
    """It doesn't reduce the burst of another second."""
    admit(SUBJECT, ENTERPRISE, counter=KEY)
    busy.clock.forward(1)
    with telemetry.record_calls() as calls:
        admit(SUBJECT, ENTERPRISE, counter=KEY)
    assert len(calls.made) == 1


def test_burst_is_exact(latchkey: TestApp) -> None:
    """It is exact at a rate far above it, second after second."""
    for _ in range(2):
        assert in_one_second(latchkey, 1_200)[0] == 1_000


def test_functions_together_never_exceed_the_burst(busy: TestApp) -> None:
    """Each function has its own memory."""
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
        counters = busy.counters(SUBJECT, ENTERPRISE)
        assert max(count for name, count in counters.items() if name[0] == "s" and name[1:].isdigit()) <= 1_000
        assert passed <= 1_000
        busy.clock.forward(1)


def test_leases_end_at_four_fifths_of_the_burst(busy: TestApp) -> None:
    """Above that, every request is counted individually, so that the whole burst can be used."""
    busy.set_counters(SUBJECT, ENTERPRISE, burst=795)
    with telemetry.record_calls() as calls:
        for _ in range(205):
            admit(SUBJECT, ENTERPRISE, counter=KEY)
        with pytest.raises(Rejected):
            admit(SUBJECT, ENTERPRISE, counter=KEY)
    # One lease found no room, and a single admission was written instead.
    assert len(calls.made) == 1 + 205 + 1


def test_lease_without_room_reports_a_single_admission(busy: TestApp) -> None:
    """One admission was counted, and the headers show it."""
    busy.set_counters(SUBJECT, ENTERPRISE, burst=795)
    assert admit(SUBJECT, ENTERPRISE, counter=KEY).burst_left == 204


def test_quota_is_counted_request_by_request(latchkey: TestApp) -> None:
    """This holds at any rate: a lease would make the quota inexact."""
    for _ in range(3):
        assert in_one_second(latchkey, 100, tier=PRO) == (100, 100)


def test_keys_never_spend_each_others_leases(busy: TestApp) -> None:
    """Each key has its own counter and lease."""
    admit(SUBJECT, ENTERPRISE, counter=KEY)
    with telemetry.record_calls() as calls:
        admit(SUBJECT, ENTERPRISE, counter=OTHER_KEY)
    assert len(calls.made) == 1


def test_change_takes_effect_within_a_second(busy: TestApp) -> None:
    """A caller that holds a lease can't renew it after a change."""
    verified_at_ms = stale_marks.verified_from(busy.clock.now_ms)
    admit(SUBJECT, ENTERPRISE, counter=KEY, verified_at_ms=verified_at_ms)
    stale_marks.mark(SUBJECT)
    for _ in range(9):
        admit(SUBJECT, ENTERPRISE, counter=KEY, verified_at_ms=verified_at_ms)
    with pytest.raises(Stale):
        admit(SUBJECT, ENTERPRISE, counter=KEY, verified_at_ms=verified_at_ms)


def test_older_verification_spends_nothing_of_a_newer_one(busy: TestApp) -> None:
    """A revoked key's cached policy must not spend what a newer verification acquired."""
    admit(SUBJECT, ENTERPRISE, counter=KEY, verified_at_ms=NEVER_STALE)
    stale_marks.mark(SUBJECT)
    with pytest.raises(Stale):
        admit(SUBJECT, ENTERPRISE, counter=KEY, verified_at_ms=stale_marks.verified_from(busy.clock.now_ms))


def test_clock_set_back_revives_no_lease(busy: TestApp) -> None:
    """Admissions acquired later count in another second."""
    busy.clock.forward(1)
    in_one_second(busy, 100)
    busy.clock.forward(-3)
    with telemetry.record_calls() as calls:
        admit(SUBJECT, ENTERPRISE, counter=KEY)
    assert len(calls.made) == 1


def test_remaining_counts_down_by_one(busy: TestApp) -> None:
    """It does so with and without a write."""
    left = [admit(SUBJECT, ENTERPRISE, counter=KEY).burst_left for _ in range(25)]
    assert left[0] == 999
    assert all(earlier - later == 1 for earlier, later in pairwise(left))
