"""Limits of anonymous callers, by network and by the wider network that contains it."""

import pytest

from chalicelib.limits.admission import Rejected
from chalicelib.limits.anonymous_limits import WIDER, admit_networks
from chalicelib.limits.tiers import Tier
from tests.support.harness import TestApp

THREE_AN_HOUR = Tier("trial", 3, 50)


def attempts(wide: str, narrow: str) -> int:
    """Return how many attempts of one network are admitted before one is rejected."""
    for passed in range(100):
        try:
            admit_networks([narrow, wide], THREE_AN_HOUR)
        except Rejected:
            return passed
    pytest.fail("No attempt was rejected.")


def test_wider_network_has_its_own_quota(latchkey: TestApp) -> None:
    """A wider network has four times the quota of each narrow one; other wide networks are unaffected."""
    passed = [attempts("wide", f"narrow{number}") for number in range(WIDER + 1)]
    assert passed == [3, 3, 3, 3, 0]
    assert attempts("other", "elsewhere") == 3


def test_rejected_network_uses_nothing_of_its_neighbours(latchkey: TestApp) -> None:
    """The narrowest network is counted first, and a rejected attempt isn't counted for the wider ones."""
    attempts("wide", "narrow0")
    for _ in range(20):
        with pytest.raises(Rejected):
            admit_networks(["narrow0", "wide"], THREE_AN_HOUR)
    assert [attempts("wide", f"narrow{number}") for number in (1, 2, 3)] == [3, 3, 3]


def test_wider_network_has_four_times_the_burst(latchkey: TestApp) -> None:
    """All neighbours together may burst four times as much as one."""
    tier = Tier("trial", 1_000, 3)
    for number in range(WIDER):
        for _ in range(3):
            admit_networks([f"narrow{number}", "wide"], tier)
    with pytest.raises(Rejected) as rejection:
        admit_networks(["another", "wide"], tier)
    assert (rejection.value.limit, rejection.value.left.tier) == ("burst", Tier("trial", 4_000, 12))


def test_wider_network_without_quota_has_only_a_wider_burst(latchkey: TestApp) -> None:
    """Four times unlimited is unlimited."""
    for number in range(WIDER):
        for _ in range(3):
            admit_networks([f"narrow{number}", "wide"], Tier("trial", None, 3))
    with pytest.raises(Rejected) as rejection:
        admit_networks(["another", "wide"], Tier("trial", None, 3))
    assert rejection.value.left.tier == Tier("trial", None, 12)


def test_remaining_is_that_of_the_narrowest_network(latchkey: TestApp) -> None:
    """A caller doesn't see the usage of its neighbours."""
    admit_networks(["narrow0", "wide"], THREE_AN_HOUR)
    assert admit_networks(["narrow1", "wide"], THREE_AN_HOUR).quota_left == 2
    assert latchkey.counters("trial_wide", THREE_AN_HOUR)["used"] == 2
    assert latchkey.counters("trial_narrow1", THREE_AN_HOUR)["used"] == 1
