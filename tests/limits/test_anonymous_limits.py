"""Rate limits of anonymous callers, for each network and for the wider network that contains it."""

import pytest

from chalicelib.limits.admission import Rejected
from chalicelib.limits.anonymous_limits import WIDER, admit_networks
from chalicelib.limits.tiers import Tier
from tests.support.harness import TestApp

THREE_AN_HOUR = Tier("trial", 3, 50)


def count_attempts(wide: str, narrow: str) -> int:
    """Return how many attempts of a network are admitted before the first rejection."""
    for passed in range(100):
        try:
            admit_networks([narrow, wide], THREE_AN_HOUR)
        except Rejected:
            return passed
    pytest.fail("No attempt was rejected.")


def test_wider_network_has_its_own_quota(latchkey: TestApp) -> None:
    """A wider network has four times the quota of a network in it; other wider networks aren't affected."""
    passed = [count_attempts("wide", f"narrow{number}") for number in range(WIDER + 1)]
    assert passed == [3, 3, 3, 3, 0]
    assert count_attempts("other", "elsewhere") == 3


def test_rejected_network_uses_nothing_of_its_neighbours(latchkey: TestApp) -> None:
    """The narrowest network is counted first, and an attempt that it rejects doesn't count against the wider
    networks.
    """
    count_attempts("wide", "narrow0")
    for _ in range(20):
        with pytest.raises(Rejected):
            admit_networks(["narrow0", "wide"], THREE_AN_HOUR)
    assert [count_attempts("wide", f"narrow{number}") for number in (1, 2, 3)] == [3, 3, 3]


def test_wider_network_has_four_times_the_burst(latchkey: TestApp) -> None:
    """The burst of a wider network is four times that of a network in it."""
    tier = Tier("trial", 1_000, 3)
    for number in range(WIDER):
        for _ in range(3):
            admit_networks([f"narrow{number}", "wide"], tier)
    with pytest.raises(Rejected) as rejection:
        admit_networks(["another", "wide"], tier)
    assert (rejection.value.limit, rejection.value.left.tier) == ("burst", Tier("trial", 4_000, 12))


def test_wider_network_without_quota_has_only_a_wider_burst(latchkey: TestApp) -> None:
    """A tier without a quota has no quota in wider networks either, only a wider burst."""
    for number in range(WIDER):
        for _ in range(3):
            admit_networks([f"narrow{number}", "wide"], Tier("trial", None, 3))
    with pytest.raises(Rejected) as rejection:
        admit_networks(["another", "wide"], Tier("trial", None, 3))
    assert rejection.value.left.tier == Tier("trial", None, 12)


def test_remaining_is_that_of_the_narrowest_network(latchkey: TestApp) -> None:
    """The response states the remaining quota of the narrowest network, so callers don't see their neighbours'
    usage.
    """
    admit_networks(["narrow0", "wide"], THREE_AN_HOUR)
    assert admit_networks(["narrow1", "wide"], THREE_AN_HOUR).quota_left == 2
    assert latchkey.counters("trial_wide", THREE_AN_HOUR)["used"] == 2
    assert latchkey.counters("trial_narrow1", THREE_AN_HOUR)["used"] == 1
