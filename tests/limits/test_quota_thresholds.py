"""The two counts of an hour's quota that an account is notified of."""

import pytest

from chalicelib.limits.admission import admit
from chalicelib.limits.quota_thresholds import NEARLY_SPENT, SPENT, crossed, reached
from chalicelib.limits.tiers import ENTERPRISE, FREE, Tier
from tests.support.harness import TestApp

ODD = Tier("odd", 7, 7)
"""80 % of 7 are 5.6 requests."""


@pytest.mark.parametrize(
    ("tier", "used", "expected"),
    [
        (FREE, 0, ()),
        (FREE, 799, ()),
        (FREE, 800, (NEARLY_SPENT,)),
        (FREE, 999, (NEARLY_SPENT,)),
        (FREE, 1_000, (NEARLY_SPENT, SPENT)),
        (FREE, 1_001, (NEARLY_SPENT, SPENT)),
        (ODD, 5, ()),
        (ODD, 6, (NEARLY_SPENT,)),
        (ODD, 7, (NEARLY_SPENT, SPENT)),
        (ENTERPRISE, 10**7, ()),
    ],
)
def test_quota_is_nearly_spent_from_80_percent_and_spent_at_all_of_it(
    tier: Tier, used: int, expected: tuple[str, ...]
) -> None:
    """A fraction of a request isn't used before the next one is; without a quota nothing can be spent."""
    assert reached(tier, used) == expected


@pytest.mark.parametrize(
    ("known", "used", "expected"),
    [
        (798, 799, ()),
        (799, 800, (NEARLY_SPENT,)),
        (799, 801, (NEARLY_SPENT,)),
        (0, 801, (NEARLY_SPENT,)),
        (800, 801, ()),
        (0, 802, ()),
        (998, 1_000, (SPENT,)),
        (1_000, 900, ()),
    ],
)
def test_count_that_was_passed_by_a_write_sent_twice_is_noticed(
    known: int, used: int, expected: tuple[str, ...]
) -> None:
    """An admission that finds the count one higher than it should be looks back, unless this process knew already."""
    assert crossed(FREE, known=known, used=used) == expected


def test_tier_without_quota_tells_nothing() -> None:
    """There is nothing that could be spent."""
    assert crossed(ENTERPRISE, known=0, used=10**7) == ()


def test_small_quota_may_be_nearly_spent_and_spent_by_one_request() -> None:
    """Both are reported, in this order."""
    assert crossed(Tier("one", 1, 1), known=0, used=1) == (NEARLY_SPENT, SPENT)


def test_admission_says_what_it_brought_the_quota_to(latchkey: TestApp) -> None:
    """The one that gets there, and no other; what this process knew before counts."""
    latchkey.set_counters("acc_1", FREE, used=798)
    assert [admit("acc_1", FREE).crossed for _ in range(3)] == [(), (NEARLY_SPENT,), ()]
