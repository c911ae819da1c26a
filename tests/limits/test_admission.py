"""The decision to let a request through: exactly the quota, exactly the burst, and nothing consumed by a refusal."""

from dataclasses import replace

import pytest

from chalicelib.core import clock, settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import WireError
from chalicelib.limits import counter_items
from chalicelib.limits.admission import Refused, Stale, admit
from chalicelib.limits.tiers import ANONYMOUS, ENTERPRISE, FREE, Tier
from tests.support.harness import START_MS, TestApp

SMALL = Tier("free", 5, 3)
WIDE = Tier("free", 5, 50)
ENDLESS = Tier("enterprise", None, 3)


def refused(tier: Tier, subject: str = "acc_1") -> Refused:
    """Ask for one request too many and return the refusal."""
    with pytest.raises(Refused) as refusal:
        admit(subject, tier)
    return refusal.value


def test_quota_admits_exactly_so_many(latchkey: TestApp) -> None:
    """Of a quota of 5, 5 requests pass and the sixth is refused until the clock hour ends."""
    assert [admit("acc_1", WIDE).quota_left for _ in range(5)] == [4, 3, 2, 1, 0]
    refusal = refused(WIDE)
    assert (refusal.limit, refusal.retry_after_s) == ("quota", 3600)


def test_burst_admits_exactly_so_many(latchkey: TestApp) -> None:
    """Of a burst of 3, 3 requests pass within one clock second and the fourth is refused until it ends."""
    assert [admit("acc_1", SMALL).burst_left for _ in range(3)] == [2, 1, 0]
    refusal = refused(SMALL)
    assert (refusal.limit, refusal.retry_after_s) == ("burst", 1)
    latchkey.clock.forward(1)
    assert admit("acc_1", SMALL).burst_left == 2


def test_refused_request_consumes_nothing(latchkey: TestApp) -> None:
    """What a flood was refused is there again when its second is over."""
    for _ in range(3):
        admit("acc_1", SMALL)
    for _ in range(10):
        refused(SMALL)
    latchkey.forget()
    refused(SMALL)
    assert latchkey.counters("acc_1")["used"] == 3
    latchkey.clock.forward(1)
    assert admit("acc_1", SMALL).quota_left == 1


def test_quota_is_full_again_on_the_hour(latchkey: TestApp) -> None:
    """The quota counts in the clock hour: its last millisecond is refused, the next one has everything again."""
    latchkey.clock.forward(1800)
    for _ in range(5):
        admit("acc_1", WIDE)
    latchkey.clock.forward(1799.999)
    assert refused(WIDE).retry_after_s == 1
    latchkey.clock.forward(0.001)
    assert admit("acc_1", WIDE).quota_left == 4


def test_spent_quota_is_named_before_a_spent_burst(latchkey: TestApp) -> None:
    """When both are spent the caller hears the longer wait, or would knock in vain."""
    latchkey.set_counters("acc_1", SMALL, used=5, burst=3)
    refusal = refused(SMALL)
    assert (refusal.limit, refusal.retry_after_s) == ("quota", 3600)


def test_tier_without_quota_is_held_by_its_burst_alone(latchkey: TestApp) -> None:
    """Enterprise has no hourly limit; a million requests in the hour change nothing."""
    latchkey.set_counters("acc_1", ENDLESS, used=1_000_000)
    assert [admit("acc_1", ENDLESS).burst_left for _ in range(3)] == [2, 1, 0]
    assert refused(ENDLESS).limit == "burst"


def test_subjects_and_tiers_are_counted_apart(latchkey: TestApp) -> None:
    """Nobody uses up another's allowance, and a new tier starts with a full one."""
    for _ in range(5):
        admit("acc_1", WIDE)
    assert admit("acc_2", WIDE).quota_left == 4
    assert admit("acc_1", Tier("pro", 5, 50)).quota_left == 4


def test_counter_is_counted_beside_the_whole(latchkey: TestApp) -> None:
    """A key's own use is counted by the same write."""
    admit("acc_1", FREE, counter="kAAAAAAA")
    admit("acc_1", FREE, counter="kAAAAAAA")
    admit("acc_1", FREE, counter="kBBBBBBB")
    counters = latchkey.counters("acc_1")
    assert (counters["used"], counters["kAAAAAAA"], counters["kBBBBBBB"]) == (3, 2, 1)


def test_counter_beyond_the_thirtieth_is_counted_as_other(latchkey: TestApp) -> None:
    """The item stays small whatever callers do: it names 30 counters and adds the rest up."""
    for number in range(counter_items.COUNTERS_MAX + 2):
        admit("acc_1", ENTERPRISE, counter=f"k{number:07}")
    admit("acc_1", ENTERPRISE, counter="k0000000")
    counters = latchkey.counters("acc_1", ENTERPRISE)
    assert len([name for name in counters if name.startswith("k")]) == counter_items.COUNTERS_MAX
    assert (counters[counter_items.OTHER], counters["k0000000"]) == (2, 2)


def test_admission_is_one_write_and_no_read(latchkey: TestApp) -> None:
    """The decision costs one UpdateItem, also when it is no."""
    with telemetry.calls_watched() as calls:
        for _ in range(3):
            admit("acc_1", SMALL)
        refused(SMALL)
    assert calls.made == [("UpdateItem", "latchkey-test-windows")] * 4


def test_verified_before_a_change_is_stale(latchkey: TestApp) -> None:
    """What was verified before the mark is refused without being counted; what was verified at it passes."""
    latchkey.set_counters("acc_1", FREE, stale_at=START_MS)
    with pytest.raises(Stale) as stale:
        admit("acc_1", FREE, verified_at_ms=START_MS - 1)
    assert stale.value.stale_at_ms == START_MS
    assert "used" not in latchkey.counters("acc_1")
    assert admit("acc_1", FREE, verified_at_ms=START_MS).quota_left == 999


def test_staleness_is_named_before_a_spent_limit(latchkey: TestApp) -> None:
    """A caller whose tier may have changed is never refused under the old one."""
    latchkey.set_counters("acc_1", SMALL, used=5, burst=3, stale_at=START_MS)
    with pytest.raises(Stale):
        admit("acc_1", SMALL, verified_at_ms=START_MS - 1)


def test_old_burst_windows_are_removed_by_later_writes(latchkey: TestApp) -> None:
    """The item keeps the last seconds only, or it would grow all hour."""
    for _ in range(30):
        admit("acc_1", FREE)
        latchkey.clock.forward(1)
    slots = [name for name in latchkey.counters("acc_1") if name[0] == "s" and name[1:].isdigit()]
    assert len(slots) <= counter_items.SLOTS_KEPT_S + 2
    assert latchkey.counters("acc_1")["used"] == 30


def test_recent_burst_windows_are_kept_for_slower_clocks(latchkey: TestApp) -> None:
    """A function whose clock is a few seconds behind still finds its burst spent."""
    tier = Tier("free", 100, 3)
    for _ in range(3):
        admit("acc_1", tier)
    for _ in range(counter_items.SLOTS_KEPT_S):
        latchkey.clock.forward(1)
        admit("acc_1", tier)
    latchkey.clock.forward(-counter_items.SLOTS_KEPT_S)
    latchkey.forget()
    assert refused(tier).limit == "burst"


def test_many_old_burst_windows_are_removed_over_several_writes(latchkey: TestApp) -> None:
    """However much a thousand short-lived functions left behind, no write outgrows what DynamoDB takes."""
    for minute in range(5):
        latchkey.set_counters("acc_1", FREE, **{f"s{minute * 60 + second}": 1 for second in range(60)})
    latchkey.clock.forward(1800)
    for writes in range(1, 5):
        admit("acc_1", FREE)
        left = [name for name in latchkey.counters("acc_1") if name[0] == "s" and name[1:].isdigit()]
        assert len(left) == max(0, 300 - (writes - 1) * counter_items.REMOVED_AT_ONCE) + 1


def test_clock_set_back_into_a_window_that_seemed_past_still_counts(latchkey: TestApp) -> None:
    """A clock that is set back, however far, never turns an admission into a fault."""
    latchkey.set_counters("acc_1", FREE, used=10, **{f"s{second}": 1 for second in range(10)})
    latchkey.clock.forward(60)
    admit("acc_1", FREE)
    latchkey.clock.forward(-55)
    admit("acc_1", FREE)
    counters = latchkey.counters("acc_1")
    assert (counters["used"], counters["s5"]) == (12, 2)


def test_counters_die_after_31_days_and_those_of_strangers_after_two_hours(latchkey: TestApp) -> None:
    """A month of usage can be shown; addresses of visitors are kept no longer than their hour matters."""
    admit("acc_1", FREE)
    admit("ip_203.0.113.7", ANONYMOUS)
    hour = clock.hour_of(START_MS // 1000)
    assert latchkey.counters("acc_1")["dies_at"] == hour + 31 * 86_400
    assert latchkey.counters("ip_203.0.113.7", ANONYMOUS)["dies_at"] == hour + 7_200


def test_burst_may_count_in_a_longer_window(latchkey: TestApp) -> None:
    """An owner may let the burst count in 10 s: it is spent until those end."""
    with settings.in_use(replace(settings.current(), burst_window_s=10)):
        latchkey.clock.forward(4)
        for _ in range(3):
            admit("acc_1", SMALL)
        assert refused(SMALL).retry_after_s == 6
        latchkey.clock.forward(5.999)
        assert refused(SMALL).retry_after_s == 1
        latchkey.clock.forward(0.001)
        assert admit("acc_1", SMALL).burst_left == 2


def test_mistake_of_ours_is_no_free_pass(latchkey: TestApp) -> None:
    """Only a database that doesn't answer lets requests through; a missing table is our fault and shows."""
    dynamodb.call("DeleteTable", {"TableName": settings.current().table("windows")})
    with pytest.raises(WireError, match="ResourceNotFound"):
        admit("acc_1", FREE)
