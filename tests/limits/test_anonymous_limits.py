"""What a stranger may do from one network, and from the wider one that it is part of."""

import pytest

from chalicelib.limits.admission import Refused
from chalicelib.limits.anonymous_limits import WIDER, admit_networks
from chalicelib.limits.tiers import Tier
from tests.support.harness import TestApp

THREE_AN_HOUR = Tier("trial", 3, 50)


def attempts(wide: str, narrow: str) -> int:
    """Return how many attempts of one network pass before one is refused."""
    for passed in range(100):
        try:
            admit_networks([narrow, wide], THREE_AN_HOUR)
        except Refused:
            return passed
    pytest.fail("None was refused.")


def test_wider_network_has_a_quota_of_its_own(latchkey: TestApp) -> None:
    """Four times what each narrow one may, whichever of them asks; another wide one is not touched."""
    passed = [attempts("wide", f"narrow{number}") for number in range(WIDER + 1)]
    assert passed == [3, 3, 3, 3, 0]
    assert attempts("other", "elsewhere") == 3


def test_refused_network_uses_up_nothing_of_its_neighbours(latchkey: TestApp) -> None:
    """The narrowest is counted first, and what it refuses isn't counted any further."""
    attempts("wide", "narrow0")
    for _ in range(20):
        with pytest.raises(Refused):
            admit_networks(["narrow0", "wide"], THREE_AN_HOUR)
    assert [attempts("wide", f"narrow{number}") for number in (1, 2, 3)] == [3, 3, 3]


def test_wider_network_has_four_times_the_burst(latchkey: TestApp) -> None:
    """Its neighbours together may be as quick as four of them."""
    tier = Tier("trial", 1_000, 3)
    for number in range(WIDER):
        for _ in range(3):
            admit_networks([f"narrow{number}", "wide"], tier)
    with pytest.raises(Refused) as refusal:
        admit_networks(["another", "wide"], tier)
    assert (refusal.value.limit, refusal.value.left.tier) == ("burst", Tier("trial", 4_000, 12))


def test_wider_network_of_a_tier_without_quota_has_a_wider_burst_alone(latchkey: TestApp) -> None:
    """Four times unlimited is unlimited."""
    for number in range(WIDER):
        for _ in range(3):
            admit_networks([f"narrow{number}", "wide"], Tier("trial", None, 3))
    with pytest.raises(Refused) as refusal:
        admit_networks(["another", "wide"], Tier("trial", None, 3))
    assert refusal.value.left.tier == Tier("trial", None, 12)


def test_what_is_left_is_the_narrowest_networks(latchkey: TestApp) -> None:
    """A neighbour's use is nobody else's to know."""
    admit_networks(["narrow0", "wide"], THREE_AN_HOUR)
    assert admit_networks(["narrow1", "wide"], THREE_AN_HOUR).quota_left == 2
    assert latchkey.counters("trial_wide", THREE_AN_HOUR)["used"] == 2
    assert latchkey.counters("trial_narrow1", THREE_AN_HOUR)["used"] == 1
