"""Admission: exactly the quota and the burst are admitted, and rejected requests count against neither."""

from dataclasses import replace

import pytest

from chalicelib.core import clock, settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import DynamoDBError
from chalicelib.limits import burst, counter_items
from chalicelib.limits.admission import Rejected, Stale, admit
from chalicelib.limits.tiers import ANONYMOUS, ENTERPRISE, FREE, Tier
from tests.support.harness import START_MS, TestApp

SMALL = Tier("free", 5, 3)
WIDE = Tier("free", 5, 50)
ENDLESS = Tier("enterprise", None, 3)


def reject(tier: Tier, subject: str = "acc_1") -> Rejected:
    """Send a request beyond the limit and return the rejection."""
    with pytest.raises(Rejected) as rejection:
        admit(subject, tier)
    return rejection.value


def test_quota_admits_exactly_its_number(latchkey: TestApp) -> None:
    """With a quota of 5, five requests are admitted, and the sixth is rejected until the clock hour ends."""
    assert [admit("acc_1", WIDE).quota_left for _ in range(5)] == [4, 3, 2, 1, 0]
    rejection = reject(WIDE)
    assert (rejection.limit, rejection.retry_after_s) == ("quota", 3600)


def test_burst_admits_exactly_its_number(latchkey: TestApp) -> None:
    """With a burst of 3, three requests are admitted in a clock second, and the fourth is rejected until the second
    ends.
    """
    assert [admit("acc_1", SMALL).burst_left for _ in range(3)] == [2, 1, 0]
    rejection = reject(SMALL)
    assert (rejection.limit, rejection.retry_after_s) == ("burst", 1)
    latchkey.clock.forward(1)
    assert admit("acc_1", SMALL).burst_left == 2


def test_rejected_request_consumes_nothing(latchkey: TestApp) -> None:
    """After a second of rejected requests, the rest of the quota is still available."""
    for _ in range(3):
        admit("acc_1", SMALL)
    for _ in range(10):
        reject(SMALL)
    latchkey.forget()
    reject(SMALL)
    assert latchkey.counters("acc_1")["used"] == 3
    latchkey.clock.forward(1)
    assert admit("acc_1", SMALL).quota_left == 1


def test_quota_resets_on_the_hour(latchkey: TestApp) -> None:
    """A request in the last millisecond of the clock hour is rejected; the next millisecond has the full quota."""
    latchkey.clock.forward(1800)
    for _ in range(5):
        admit("acc_1", WIDE)
    latchkey.clock.forward(1799.999)
    assert reject(WIDE).retry_after_s == 1
    latchkey.clock.forward(0.001)
    assert admit("acc_1", WIDE).quota_left == 4


def test_quota_is_reported_before_burst(latchkey: TestApp) -> None:
    """When both limits are exhausted, the response reports the quota, because it resets later."""
    latchkey.set_counters("acc_1", SMALL, used=5, burst=3)
    rejection = reject(SMALL)
    assert (rejection.limit, rejection.retry_after_s) == ("quota", 3600)


def test_tier_without_quota_is_limited_by_burst_only(latchkey: TestApp) -> None:
    """The tier Enterprise has no hourly limit, even after a million requests in the hour."""
    latchkey.set_counters("acc_1", ENDLESS, used=1_000_000)
    assert [admit("acc_1", ENDLESS).burst_left for _ in range(3)] == [2, 1, 0]
    assert reject(ENDLESS).limit == "burst"


def test_subjects_and_tiers_are_counted_separately(latchkey: TestApp) -> None:
    """A subject never uses another subject's quota, and a subject with a new tier starts with the full quota."""
    for _ in range(5):
        admit("acc_1", WIDE)
    assert admit("acc_2", WIDE).quota_left == 4
    assert admit("acc_1", Tier("pro", 5, 50)).quota_left == 4


def test_key_counter_is_updated_by_the_same_write(latchkey: TestApp) -> None:
    """One write counts a request for the account and for its key."""
    admit("acc_1", FREE, counter="kAAAAAAA")
    admit("acc_1", FREE, counter="kAAAAAAA")
    admit("acc_1", FREE, counter="kBBBBBBB")
    counters = latchkey.counters("acc_1")
    assert (counters["used"], counters["kAAAAAAA"], counters["kBBBBBBB"]) == (3, 2, 1)


def test_counters_beyond_thirty_are_counted_as_other(latchkey: TestApp) -> None:
    """A DynamoDB counter item names at most 30 counters and adds up all others, so the size of the item is bounded."""
    for number in range(counter_items.COUNTERS_MAX + 2):
        admit("acc_1", ENTERPRISE, counter=f"k{number:07}")
    admit("acc_1", ENTERPRISE, counter="k0000000")
    counters = latchkey.counters("acc_1", ENTERPRISE)
    assert len([name for name in counters if name.startswith("k")]) == counter_items.COUNTERS_MAX
    assert (counters[counter_items.OTHER], counters["k0000000"]) == (2, 2)


def test_admission_is_one_write_and_no_read(latchkey: TestApp) -> None:
    """An admission and a rejection cost one UpdateItem call each."""
    with telemetry.record_calls() as calls:
        for _ in range(3):
            admit("acc_1", SMALL)
        reject(SMALL)
    assert calls.made == [("UpdateItem", "latchkey-test-windows")] * 4


def test_verification_before_a_change_is_stale(latchkey: TestApp) -> None:
    """A caller that was verified before the time of the invalidation mark is rejected and not counted.

    A caller that was verified at exactly that time is admitted.
    """
    latchkey.set_counters("acc_1", FREE, stale_at=START_MS)
    with pytest.raises(Stale) as stale:
        admit("acc_1", FREE, verified_at_ms=START_MS - 1)
    assert stale.value.stale_at_ms == START_MS
    assert "used" not in latchkey.counters("acc_1")
    assert admit("acc_1", FREE, verified_at_ms=START_MS).quota_left == 999


def test_staleness_is_reported_before_an_exhausted_limit(latchkey: TestApp) -> None:
    """A request over a limit raises Stale if its caller was verified before a change, because the tier may have
    changed.
    """
    latchkey.set_counters("acc_1", SMALL, used=5, burst=3, stale_at=START_MS)
    with pytest.raises(Stale):
        admit("acc_1", SMALL, verified_at_ms=START_MS - 1)


def test_old_burst_windows_are_removed_by_later_writes(latchkey: TestApp) -> None:
    """The DynamoDB counter item contains only the burst windows of the last seconds, so it doesn't grow all hour."""
    for _ in range(30):
        admit("acc_1", FREE)
        latchkey.clock.forward(1)
    slots = [name for name in latchkey.counters("acc_1") if name[0] == "s" and name[1:].isdigit()]
    assert len(slots) <= burst.SLOTS_KEPT_S + 2
    assert latchkey.counters("acc_1")["used"] == 30


def test_recent_burst_windows_are_kept_for_slower_clocks(latchkey: TestApp) -> None:
    """A function whose clock is a few seconds behind still finds its burst window exhausted."""
    tier = Tier("free", 100, 3)
    for _ in range(3):
        admit("acc_1", tier)
    for _ in range(burst.SLOTS_KEPT_S):
        latchkey.clock.forward(1)
        admit("acc_1", tier)
    latchkey.clock.forward(-burst.SLOTS_KEPT_S)
    latchkey.forget()
    assert reject(tier).limit == "burst"


def test_many_old_burst_windows_are_removed_over_several_writes(latchkey: TestApp) -> None:
    """No update expression exceeds DynamoDB's limit, however many old windows the item has."""
    for minute in range(5):
        latchkey.set_counters("acc_1", FREE, **{f"s{minute * 60 + second}": 1 for second in range(60)})
    latchkey.clock.forward(1800)
    for writes in range(1, 5):
        admit("acc_1", FREE)
        left = [name for name in latchkey.counters("acc_1") if name[0] == "s" and name[1:].isdigit()]
        assert len(left) == max(0, 300 - (writes - 1) * burst.REMOVED_PER_WRITE) + 1


def test_clock_set_back_into_a_past_window_still_counts(latchkey: TestApp) -> None:
    """An admission succeeds and counts after the clock was set back, however far."""
    latchkey.set_counters("acc_1", FREE, used=10, **{f"s{second}": 1 for second in range(10)})
    latchkey.clock.forward(60)
    admit("acc_1", FREE)
    latchkey.clock.forward(-55)
    admit("acc_1", FREE)
    counters = latchkey.counters("acc_1")
    assert (counters["used"], counters["s5"]) == (12, 2)


def test_counters_expire_after_31_days_and_anonymous_ones_after_two_hours(latchkey: TestApp) -> None:
    """Counters of accounts are kept for 31 days, and those of anonymous callers for two hours."""
    admit("acc_1", FREE)
    admit("ip_203.0.113.7", ANONYMOUS)
    hour = clock.hour_of(START_MS // 1000)
    assert latchkey.counters("acc_1")["dies_at"] == hour + 31 * 86_400
    assert latchkey.counters("ip_203.0.113.7", ANONYMOUS)["dies_at"] == hour + 7_200


def test_burst_window_may_be_longer(latchkey: TestApp) -> None:
    """With a burst window of 10 s, an exhausted burst resets at the end of the 10 s."""
    with settings.override(replace(settings.current(), burst_window_s=10)):
        latchkey.clock.forward(4)
        for _ in range(3):
            admit("acc_1", SMALL)
        assert reject(SMALL).retry_after_s == 6
        latchkey.clock.forward(5.999)
        assert reject(SMALL).retry_after_s == 1
        latchkey.clock.forward(0.001)
        assert admit("acc_1", SMALL).burst_left == 2


def test_missing_table_does_not_fail_open(latchkey: TestApp) -> None:
    """Only an unavailable database admits requests without counting; a missing table is an error."""
    dynamodb.call("DeleteTable", {"TableName": settings.current().table("windows")})
    with pytest.raises(DynamoDBError, match="ResourceNotFound"):
        admit("acc_1", FREE)
