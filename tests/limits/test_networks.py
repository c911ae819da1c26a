"""What a stranger may do from one network, and from the wider one that it is part of."""

import pytest

from chalicelib.limits.admission import Refused
from chalicelib.limits.networks import WIDER, admit_networks
from chalicelib.limits.tiers import Tier
from tests.house import House

THREE_AN_HOUR = Tier("trial", 3, 50)


def attempts(wide: str, narrow: str) -> int:
    """Return how many attempts of one network pass before one is refused."""
    for passed in range(100):
        try:
            admit_networks([narrow, wide], THREE_AN_HOUR)
        except Refused:
            return passed
    pytest.fail("None was refused.")


def test_wider_network_has_a_quota_of_its_own(home: House) -> None:
    """Four times what each narrow one may, whichever of them asks; another wide one is not touched."""
    passed = [attempts("wide", f"narrow{number}") for number in range(WIDER + 1)]
    assert passed == [3, 3, 3, 3, 0]
    assert attempts("other", "elsewhere") == 3


def test_refused_network_uses_up_nothing_of_its_neighbours(home: House) -> None:
    """The narrowest is counted first, and what it refuses isn't counted any further."""
    attempts("wide", "narrow0")
    for _ in range(20):
        with pytest.raises(Refused):
            admit_networks(["narrow0", "wide"], THREE_AN_HOUR)
    assert [attempts("wide", f"narrow{number}") for number in (1, 2, 3)] == [3, 3, 3]
