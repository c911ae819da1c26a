"""What a process refuses from memory, so that a flood of refused requests costs next to nothing."""

import pytest

from chalicelib.core import telemetry
from chalicelib.limits.admission import Refused, admit
from chalicelib.limits.tiers import Tier
from tests.house import House

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


def test_spent_quota_is_refused_without_a_call(home: House) -> None:
    """For almost 10 s the process believes what it saw."""
    spend(QUOTA)
    home.clock.forward(9.999)
    assert refusals_cost(QUOTA, 5) == 0


def test_spent_quota_is_asked_again_after_ten_seconds(home: House) -> None:
    """A reset that the process can't know of shows within 10 s."""
    spend(QUOTA)
    home.counted("acc_1", QUOTA, used=0)
    home.clock.forward(10)
    assert admit("acc_1", QUOTA).quota_left == 1


def test_flood_on_a_spent_quota_costs_a_few_calls_in_ten_seconds(home: House) -> None:
    """A thousand refusals in 20 s cost as many calls as fit a person's count."""
    spend(QUOTA)
    cost = 0
    for _ in range(20):
        cost += refusals_cost(QUOTA, 50)
        home.clock.forward(1)
    assert cost <= 4


def test_spent_burst_is_refused_without_a_call_until_its_second_ends(home: House) -> None:
    """The burst can't come back before the second is over."""
    spend(BURST)
    home.clock.forward(0.999)
    assert refusals_cost(BURST, 5) == 0
    home.clock.forward(0.001)
    assert admit("acc_1", BURST).burst_left == 1


def test_refusal_from_memory_says_the_same_as_the_first(home: House) -> None:
    """The caller can't tell where a refusal came from."""
    spend(QUOTA)
    with pytest.raises(Refused) as remembered:
        admit("acc_1", QUOTA)
    home.forget()
    with pytest.raises(Refused) as asked:
        admit("acc_1", QUOTA)
    assert (remembered.value.limit, remembered.value.left) == (asked.value.limit, asked.value.left)
    assert remembered.value.retry_after_s == asked.value.retry_after_s


@pytest.mark.parametrize("back_s", [1, 9, 60, 3600])
def test_clock_set_back_prolongs_no_spent_quota(home: House, back_s: int) -> None:
    """When the clock jumps back the database is asked, rather than a memory that lies in the future."""
    home.clock.forward(1800)
    spend(QUOTA)
    home.counted("acc_1", QUOTA, used=0)
    home.clock.forward(-back_s)
    assert admit("acc_1", QUOTA).quota_left == 1


def test_clock_set_back_prolongs_no_spent_burst(home: House) -> None:
    """A spent burst is believed in its own second only."""
    home.clock.forward(100)
    spend(BURST)
    home.clock.forward(-1)
    assert admit("acc_1", BURST).burst_left == 1


def test_memory_never_lets_anything_through(home: House) -> None:
    """What another process used up is refused here, though this one remembers plenty left."""
    admit("acc_1", QUOTA)
    home.counted("acc_1", QUOTA, used=2)
    with pytest.raises(Refused):
        admit("acc_1", QUOTA)


def test_new_process_asks(home: House) -> None:
    """A cold start knows nothing and asks the database, which refuses."""
    spend(QUOTA)
    home.forget()
    assert refusals_cost(QUOTA) == 1
