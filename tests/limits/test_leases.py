"""Leases: a busy account without a quota needs fewer writes, and its limits are as exact as without leases."""

from itertools import pairwise

import pytest

from chalicelib.core import telemetry
from chalicelib.limits import leases, stale_marks
from chalicelib.limits.admission import NEVER_STALE, Rejected, Stale, admit
from chalicelib.limits.tiers import ENTERPRISE, PRO, Tier
from tests.support.harness import TestApp

SUBJECT, KEY, OTHER_KEY = "acc_busy", "kaaaaaaa", "kbbbbbbb"


def send_in_one_second(
    latchkey: TestApp, requests: int, *, tier: Tier = ENTERPRISE, counter: str = KEY
) -> tuple[int, int]:
    """Send requests at equal intervals during one second; return the number of admitted requests and of writes."""
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
    """A harness whose account has sent 100 requests in the last second."""
    assert send_in_one_second(latchkey, 100) == (100, 100)
    return latchkey


def test_steady_rate_needs_a_tenth_of_the_writes(busy: TestApp) -> None:
    """At a steady rate, an account needs a tenth of the writes once its rate is known."""
    for _ in range(3):
        passed, writes = send_in_one_second(busy, 100)
        assert passed == 100
        assert writes <= 20


def test_usage_is_what_was_admitted(busy: TestApp) -> None:
    """Unspent admissions are subtracted from the usage of account and key, so the usage is exact."""
    for requests in (100, 37, 90, 5, 100):
        send_in_one_second(busy, requests)
    for _ in range(2):
        # A second with so few requests that each of them reserves a single admission.
        send_in_one_second(busy, 1)
    counters = busy.counters(SUBJECT, ENTERPRISE)
    assert counters["used"] == counters[KEY] == 100 + 100 + 37 + 90 + 5 + 100 + 2


def test_unspent_lease_expires_with_its_second(busy: TestApp) -> None:
    """Unspent admissions don't reduce the burst of the next second."""
    admit(SUBJECT, ENTERPRISE, counter=KEY)
    busy.clock.forward(1)
    with telemetry.record_calls() as calls:
        admit(SUBJECT, ENTERPRISE, counter=KEY)
    assert len(calls.made) == 1


def test_burst_is_exact(latchkey: TestApp) -> None:
    """At a request rate far above the burst limit, exactly the burst is admitted in each second."""
    for _ in range(2):
        assert send_in_one_second(latchkey, 1_200)[0] == 1_000


def test_functions_together_never_exceed_the_burst(busy: TestApp) -> None:
    """Functions with separate leases never admit more than the burst together."""
    memories = [leases._callers.copy() for _ in range(8)]
    for _ in range(2):
        busy.forget()
        passed = 0
        for mine in memories:
            leases._callers.clear()
            leases._callers.update(mine)
            began_ms = busy.clock.now_ms
            passed += send_in_one_second(busy, 150)[0]
            busy.clock.now_ms = began_ms
            mine.clear()
            mine.update(leases._callers)
        counters = busy.counters(SUBJECT, ENTERPRISE)
        assert max(count for name, count in counters.items() if name[0] == "s" and name[1:].isdigit()) <= 1_000
        assert passed <= 1_000
        busy.clock.forward(1)


def test_leases_end_at_four_fifths_of_the_burst(busy: TestApp) -> None:
    """Above four fifths of the burst every request is counted individually, so that the whole burst can be used."""
    busy.set_counters(SUBJECT, ENTERPRISE, burst=795)
    with telemetry.record_calls() as calls:
        for _ in range(205):
            admit(SUBJECT, ENTERPRISE, counter=KEY)
        with pytest.raises(Rejected):
            admit(SUBJECT, ENTERPRISE, counter=KEY)
    # The burst had no room for one of the leases, so another call admitted a single request.
    assert len(calls.made) == 1 + 205 + 1


def test_lease_without_room_reports_a_single_admission(busy: TestApp) -> None:
    """A request that falls back to a single admission counts once, and its headers are correct."""
    busy.set_counters(SUBJECT, ENTERPRISE, burst=795)
    assert admit(SUBJECT, ENTERPRISE, counter=KEY).burst_left == 204


def test_quota_is_counted_request_by_request(latchkey: TestApp) -> None:
    """Requests of a tier with a quota are counted individually at any rate, because leases would make the quota
    inexact.
    """
    for _ in range(3):
        assert send_in_one_second(latchkey, 100, tier=PRO) == (100, 100)


def test_keys_never_spend_each_others_leases(busy: TestApp) -> None:
    """A key can't spend the lease of another key, because each key has its own counter and lease."""
    admit(SUBJECT, ENTERPRISE, counter=KEY)
    with telemetry.record_calls() as calls:
        admit(SUBJECT, ENTERPRISE, counter=OTHER_KEY)
    assert len(calls.made) == 1


def test_change_takes_effect_within_a_second(busy: TestApp) -> None:
    """After a change, a caller with a lease can't get another lease, so the change takes effect within a second."""
    verified_at_ms = stale_marks.verified_from(busy.clock.now_ms)
    admit(SUBJECT, ENTERPRISE, counter=KEY, verified_at_ms=verified_at_ms)
    stale_marks.mark(SUBJECT, [ENTERPRISE])
    for _ in range(9):
        admit(SUBJECT, ENTERPRISE, counter=KEY, verified_at_ms=verified_at_ms)
    with pytest.raises(Stale):
        admit(SUBJECT, ENTERPRISE, counter=KEY, verified_at_ms=verified_at_ms)


def test_older_verification_spends_nothing_of_a_newer_one(busy: TestApp) -> None:
    """A revoked key's cached policy can't spend a lease that was acquired after a newer verification."""
    admit(SUBJECT, ENTERPRISE, counter=KEY, verified_at_ms=NEVER_STALE)
    stale_marks.mark(SUBJECT, [ENTERPRISE])
    with pytest.raises(Stale):
        admit(SUBJECT, ENTERPRISE, counter=KEY, verified_at_ms=stale_marks.verified_from(busy.clock.now_ms))


def test_clock_set_back_revives_no_lease(busy: TestApp) -> None:
    """After the clock was set back, a lease from a later second isn't spent."""
    busy.clock.forward(1)
    send_in_one_second(busy, 100)
    busy.clock.forward(-3)
    with telemetry.record_calls() as calls:
        admit(SUBJECT, ENTERPRISE, counter=KEY)
    assert len(calls.made) == 1


def test_remaining_counts_down_by_one(busy: TestApp) -> None:
    """The remaining number decreases by one for each request, with or without a write."""
    left = [admit(SUBJECT, ENTERPRISE, counter=KEY).burst_left for _ in range(25)]
    assert left[0] == 999
    assert all(earlier - later == 1 for earlier, later in pairwise(left))
