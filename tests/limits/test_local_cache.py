"""Rejections from the local cache: a flood of rejected requests costs almost no calls."""

import pytest

from chalicelib.core import telemetry
from chalicelib.core.process_cache import CACHES
from chalicelib.limits import counter_items, local_cache, rejection_counts
from chalicelib.limits.admission import Rejected, admit, raise_cached_rejection
from chalicelib.limits.tiers import FREE, Tier
from tests.support.harness import START_MS, TestApp

QUOTA = Tier("free", 2, 50)
BURST = Tier("free", 100, 2)


def spend(tier: Tier) -> None:
    """Exhaust the limits, and have the database reject one request."""
    for _ in range(2):
        admit("acc_1", tier)
    with pytest.raises(Rejected):
        admit("acc_1", tier)


def count_calls(tier: Tier, count: int = 1) -> int:
    """Return how many database calls these rejections cost."""
    with telemetry.record_calls() as calls:
        for _ in range(count):
            with pytest.raises(Rejected):
                admit("acc_1", tier)
    return len(calls.made)


def test_exhausted_quota_is_rejected_without_a_call(latchkey: TestApp) -> None:
    """For almost 10 s, requests over an exhausted quota are rejected from the cache."""
    spend(QUOTA)
    latchkey.clock.forward(9.999)
    assert count_calls(QUOTA, 5) == 0


def test_exhausted_quota_is_checked_again_after_ten_seconds(latchkey: TestApp) -> None:
    """After 10 s the database is called again, so a reset by another process takes effect."""
    spend(QUOTA)
    latchkey.set_counters("acc_1", QUOTA, used=0)
    latchkey.clock.forward(10)
    assert admit("acc_1", QUOTA).quota_left == 1


def test_flood_on_an_exhausted_quota_costs_few_calls(latchkey: TestApp) -> None:
    """A thousand rejections in 20 s cost a handful of calls."""
    spend(QUOTA)
    cost = 0
    for _ in range(20):
        cost += count_calls(QUOTA, 50)
        latchkey.clock.forward(1)
    assert cost <= 4


def test_exhausted_burst_is_rejected_without_a_call_until_its_second_ends(latchkey: TestApp) -> None:
    """Requests over the burst are rejected from the cache until the second ends."""
    spend(BURST)
    latchkey.clock.forward(0.999)
    assert count_calls(BURST, 5) == 0
    latchkey.clock.forward(0.001)
    assert admit("acc_1", BURST).burst_left == 1


def test_cached_rejection_equals_the_first(latchkey: TestApp) -> None:
    """A rejection from the cache equals the database's rejection."""
    spend(QUOTA)
    with pytest.raises(Rejected) as remembered:
        admit("acc_1", QUOTA)
    latchkey.forget()
    with pytest.raises(Rejected) as calls_made:
        admit("acc_1", QUOTA)
    assert (remembered.value.limit, remembered.value.left) == (calls_made.value.limit, calls_made.value.left)
    assert remembered.value.retry_after_s == calls_made.value.retry_after_s


@pytest.mark.parametrize("back_s", [1, 9, 60, 3600])
def test_clock_set_back_does_not_prolong_an_exhausted_quota(latchkey: TestApp, back_s: int) -> None:
    """After the clock was set back, the database decides, and not a cache entry from the future."""
    latchkey.clock.forward(1800)
    spend(QUOTA)
    latchkey.set_counters("acc_1", QUOTA, used=0)
    latchkey.clock.forward(-back_s)
    assert admit("acc_1", QUOTA).quota_left == 1


def test_clock_set_back_does_not_prolong_an_exhausted_burst(latchkey: TestApp) -> None:
    """An exhausted burst is cached only for the second in which it was exhausted."""
    latchkey.clock.forward(100)
    spend(BURST)
    latchkey.clock.forward(-1)
    assert admit("acc_1", BURST).burst_left == 1


def test_cache_never_admits(latchkey: TestApp) -> None:
    """The database rejects a request for which the cache still has room, because another process has used the limit."""
    admit("acc_1", QUOTA)
    latchkey.set_counters("acc_1", QUOTA, used=2)
    with pytest.raises(Rejected):
        admit("acc_1", QUOTA)


def test_new_process_calls_the_database(latchkey: TestApp) -> None:
    """A process with an empty cache calls the database, which rejects the request."""
    spend(QUOTA)
    latchkey.forget()
    assert count_calls(QUOTA) == 1


@pytest.mark.parametrize("tier", [QUOTA, BURST], ids=["quota", "burst"])
def test_recall_rejects_cached_limits_without_a_call(latchkey: TestApp, tier: Tier) -> None:
    """`recall` counts a cached rejection, and raises nothing if no limit is cached as exhausted."""
    raise_cached_rejection("acc_1", tier)
    admit("acc_1", tier)
    raise_cached_rejection("acc_1", tier)
    admit("acc_1", tier)
    raise_cached_rejection("acc_1", tier)
    with pytest.raises(Rejected) as calls_made:
        admit("acc_1", tier)
    with telemetry.record_calls() as calls, pytest.raises(Rejected) as recalled:
        raise_cached_rejection("acc_1", tier)
    assert calls.made == []
    assert (recalled.value.limit, recalled.value.left) == (calls_made.value.limit, calls_made.value.left)
    assert rejection_counts.pending(counter_items.window_at("acc_1", tier, latchkey.clock.now_ms)).rejected == 2


@pytest.mark.parametrize("now_ms", [0, 1, 9_999, 10_000, 19_999, START_MS])
def test_empty_cache_has_nothing_exhausted(now_ms: int) -> None:
    """With an empty cache entry, the quota never counts as exhausted."""
    assert not local_cache.CachedItem().quota_is_exhausted(now_ms)


@pytest.mark.parametrize(("after_ms", "is_spent"), [(-1, False), (0, True), (1, True), (9_999, True), (10_000, False)])
def test_exhausted_quota_is_cached_for_ten_seconds(after_ms: int, is_spent: bool) -> None:
    """An entry is valid for ten seconds after the quota was found exhausted."""
    assert local_cache.CachedItem(quota_exhausted_at_ms=START_MS).quota_is_exhausted(START_MS + after_ms) is is_spent


@pytest.mark.parametrize(
    ("counter", "named", "has_room"),
    [("k0000000", 30, True), ("kNew0000", 29, True), ("kNew0000", 30, False), ("kNew0000", 31, False)],
)
def test_item_names_thirty_counters_at_most(counter: str, named: int, has_room: bool) -> None:
    """A named counter can be counted even if thirty counters are named. A new counter is named only if fewer are."""
    cached = local_cache.CachedItem(counters=frozenset(f"k{number:07}" for number in range(named)))
    assert cached.has_room_for(counter) is has_room


def test_item_is_cached_as_it_was_returned(latchkey: TestApp) -> None:
    """A cache entry contains hour, burst window, past windows, counters and recorded usage of the returned item."""
    latchkey.clock.forward(60)
    window = counter_items.window_at("acc_1", FREE, latchkey.clock.now_ms)
    assert local_cache.lookup(window) == local_cache.CachedItem()
    numbers = {"used": 7, "s60": 3, "s59": 9, "s12": 1, "kAAAAAAA": 4, "fAAAAAAA": 2}
    local_cache.store(window, {name: {"N": str(number)} for name, number in numbers.items()})
    cached = local_cache.lookup(window)
    assert (cached.used, cached.slots, cached.past, cached.counters) == (
        7,
        {"s60": 3},
        ("s12",),
        frozenset({"kAAAAAAA"}),
    )
    assert cached.recorded.names == {"fAAAAAAA"}
    assert cached.burst_used(window) == 3
    assert cached.burst_used(counter_items.window_at("acc_1", FREE, latchkey.clock.now_ms + 1_000)) == 0
    CACHES["limits.local_cache"].clear()
    assert local_cache.lookup(window) == local_cache.CachedItem()


def test_number_of_cached_items_is_bounded(latchkey: TestApp) -> None:
    """When more items than the maximum are cached, the oldest item is dropped."""
    first, second, *_, last = made = [
        counter_items.window_at(f"acc_{number}", FREE, START_MS) for number in range(local_cache.ITEMS_MAX + 1)
    ]
    for window in made[:-1]:
        local_cache.mark_burst_exhausted(window)
    assert local_cache.lookup(first).burst_exhausted_in == "s0"
    local_cache.mark_burst_exhausted(last)
    assert [local_cache.lookup(window).burst_exhausted_in for window in (first, second, last)] == ["", "s0", "s0"]
