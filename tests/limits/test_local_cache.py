"""What a process refuses from memory, so that a flood of refused requests costs next to nothing."""

import pytest

from chalicelib.core import telemetry
from chalicelib.limits import counter_items, local_cache, rejection_counts
from chalicelib.limits.admission import Refused, admit, recall
from chalicelib.limits.tiers import FREE, Tier
from tests.support.harness import START_MS, TestApp

QUOTA = Tier("free", 2, 50)
BURST = Tier("free", 100, 2)


def spend(tier: Tier) -> None:
    """Use everything up, and be refused once by the database."""
    for _ in range(2):
        admit("acc_1", tier)
    with pytest.raises(Refused):
        admit("acc_1", tier)


def refusals_cost(tier: Tier, count: int = 1) -> int:
    """Return the number of calls that so many refusals cost."""
    with telemetry.calls_watched() as calls:
        for _ in range(count):
            with pytest.raises(Refused):
                admit("acc_1", tier)
    return len(calls.made)


def test_spent_quota_is_refused_without_a_call(latchkey: TestApp) -> None:
    """For almost 10 s the process believes what it saw."""
    spend(QUOTA)
    latchkey.clock.forward(9.999)
    assert refusals_cost(QUOTA, 5) == 0


def test_spent_quota_is_asked_again_after_ten_seconds(latchkey: TestApp) -> None:
    """A reset that the process can't know of shows within 10 s."""
    spend(QUOTA)
    latchkey.set_counters("acc_1", QUOTA, used=0)
    latchkey.clock.forward(10)
    assert admit("acc_1", QUOTA).quota_left == 1


def test_flood_on_a_spent_quota_costs_a_few_calls_in_ten_seconds(latchkey: TestApp) -> None:
    """A thousand refusals in 20 s cost as many calls as fit a person's count."""
    spend(QUOTA)
    cost = 0
    for _ in range(20):
        cost += refusals_cost(QUOTA, 50)
        latchkey.clock.forward(1)
    assert cost <= 4


def test_spent_burst_is_refused_without_a_call_until_its_second_ends(latchkey: TestApp) -> None:
    """The burst can't come back before the second is over."""
    spend(BURST)
    latchkey.clock.forward(0.999)
    assert refusals_cost(BURST, 5) == 0
    latchkey.clock.forward(0.001)
    assert admit("acc_1", BURST).burst_left == 1


def test_refusal_from_memory_says_the_same_as_the_first(latchkey: TestApp) -> None:
    """The caller can't tell where a refusal came from."""
    spend(QUOTA)
    with pytest.raises(Refused) as remembered:
        admit("acc_1", QUOTA)
    latchkey.forget()
    with pytest.raises(Refused) as asked:
        admit("acc_1", QUOTA)
    assert (remembered.value.limit, remembered.value.left) == (asked.value.limit, asked.value.left)
    assert remembered.value.retry_after_s == asked.value.retry_after_s


@pytest.mark.parametrize("back_s", [1, 9, 60, 3600])
def test_clock_set_back_prolongs_no_spent_quota(latchkey: TestApp, back_s: int) -> None:
    """When the clock jumps back the database is asked, rather than a memory that lies in the future."""
    latchkey.clock.forward(1800)
    spend(QUOTA)
    latchkey.set_counters("acc_1", QUOTA, used=0)
    latchkey.clock.forward(-back_s)
    assert admit("acc_1", QUOTA).quota_left == 1


def test_clock_set_back_prolongs_no_spent_burst(latchkey: TestApp) -> None:
    """A spent burst is believed in its own second only."""
    latchkey.clock.forward(100)
    spend(BURST)
    latchkey.clock.forward(-1)
    assert admit("acc_1", BURST).burst_left == 1


def test_memory_never_lets_anything_through(latchkey: TestApp) -> None:
    """What another process used up is refused here, though this one remembers plenty left."""
    admit("acc_1", QUOTA)
    latchkey.set_counters("acc_1", QUOTA, used=2)
    with pytest.raises(Refused):
        admit("acc_1", QUOTA)


def test_new_process_asks(latchkey: TestApp) -> None:
    """A cold start knows nothing and asks the database, which refuses."""
    spend(QUOTA)
    latchkey.forget()
    assert refusals_cost(QUOTA) == 1


@pytest.mark.parametrize("tier", [QUOTA, BURST], ids=["quota", "burst"])
def test_recall_refuses_what_is_known_to_be_spent_and_asks_nobody(latchkey: TestApp, tier: Tier) -> None:
    """It counts the refusal; of what isn't known to be spent it says nothing."""
    recall("acc_1", tier)
    admit("acc_1", tier)
    recall("acc_1", tier)
    admit("acc_1", tier)
    recall("acc_1", tier)
    with pytest.raises(Refused) as asked:
        admit("acc_1", tier)
    with telemetry.calls_watched() as calls, pytest.raises(Refused) as recalled:
        recall("acc_1", tier)
    assert calls.made == []
    assert (recalled.value.limit, recalled.value.left) == (asked.value.limit, asked.value.left)
    assert rejection_counts.held(counter_items.window_at("acc_1", tier, latchkey.clock.now_ms)).refused == 2


@pytest.mark.parametrize("now_ms", [0, 1, 9_999, 10_000, 19_999, START_MS])
def test_nothing_known_is_nothing_spent(now_ms: int) -> None:
    """Whatever the clock says."""
    assert not local_cache.Seen().quota_is_spent(now_ms)


@pytest.mark.parametrize(("after_ms", "is_spent"), [(-1, False), (0, True), (1, True), (9_999, True), (10_000, False)])
def test_spent_quota_is_believed_for_ten_seconds(after_ms: int, is_spent: bool) -> None:
    """Not before it was found, nor any longer."""
    assert local_cache.Seen(quota_spent_at_ms=START_MS).quota_is_spent(START_MS + after_ms) is is_spent


@pytest.mark.parametrize(
    ("counter", "named", "has_room"),
    [("k0000000", 30, True), ("kNew0000", 29, True), ("kNew0000", 30, False), ("kNew0000", 31, False)],
)
def test_counter_has_room_among_thirty_or_where_it_is_named_already(counter: str, named: int, has_room: bool) -> None:
    """So an item never names more."""
    seen = local_cache.Seen(counters=frozenset(f"k{number:07}" for number in range(named)))
    assert seen.has_room_for(counter) is has_room


def test_item_is_remembered_as_it_was_last_shown(latchkey: TestApp) -> None:
    """The hour, this burst window, the windows long past, the counters, and what else it names."""
    latchkey.clock.forward(60)
    window = counter_items.window_at("acc_1", FREE, latchkey.clock.now_ms)
    assert local_cache.of(window) == local_cache.Seen()
    numbers = {"used": 7, "s60": 3, "s59": 9, "s12": 1, "kAAAAAAA": 4, "fAAAAAAA": 2}
    local_cache.note(window, {name: {"N": str(number)} for name, number in numbers.items()})
    seen = local_cache.of(window)
    assert (seen.used, seen.slots, seen.past, seen.counters) == (7, {"s60": 3}, ("s12",), frozenset({"kAAAAAAA"}))
    assert seen.known.names == {"fAAAAAAA"}
    assert seen.burst_used(window) == 3
    assert seen.burst_used(counter_items.window_at("acc_1", FREE, latchkey.clock.now_ms + 1_000)) == 0
    local_cache.forget()
    assert local_cache.of(window) == local_cache.Seen()


def test_items_of_many_are_not_remembered_without_end(latchkey: TestApp) -> None:
    """The oldest are forgotten first, and only when there are too many."""
    first, second, *_, last = made = [
        counter_items.window_at(f"acc_{number}", FREE, START_MS) for number in range(local_cache.ITEMS_MAX + 1)
    ]
    for window in made[:-1]:
        local_cache.burst_is_spent(window)
    assert local_cache.of(first).burst_spent_in == "s0"
    local_cache.burst_is_spent(last)
    assert [local_cache.of(window).burst_spent_in for window in (first, second, last)] == ["", "s0", "s0"]
