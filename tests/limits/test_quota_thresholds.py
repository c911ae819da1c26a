"""The two thresholds of the quota at which an account is notified."""

import pytest

from chalicelib.limits.admission import admit
from chalicelib.limits.quota_thresholds import NEARLY_SPENT, SPENT, find_crossed, find_reached
from chalicelib.limits.tiers import ENTERPRISE, FREE, Tier
from tests.support.harness import TestApp

ODD = Tier("odd", 7, 7)
"""A tier for which 80 % of the quota is a fraction: 5.6 requests."""


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
def test_thresholds_are_80_and_100_percent(tier: Tier, used: int, expected: tuple[str, ...]) -> None:
    """The thresholds are 80 % (rounded up) and 100 % of the quota; a tier without a quota has none."""
    assert find_reached(tier, used) == expected


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
def test_threshold_passed_by_a_retried_write_is_reported(known: int, used: int, expected: tuple[str, ...]) -> None:
    """If a write that counted twice skips a threshold, the threshold is still reported, unless this process has
    reported it before.
    """
    assert find_crossed(FREE, known=known, used=used) == expected


def test_tier_without_quota_has_no_threshold() -> None:
    """A tier without a quota reports no threshold."""
    assert find_crossed(ENTERPRISE, known=0, used=10**7) == ()


def test_small_quota_may_cross_both_thresholds_with_one_request() -> None:
    """If one request crosses both thresholds of a small quota, both are reported, the lower one first."""
    assert find_crossed(Tier("one", 1, 1), known=0, used=1) == (NEARLY_SPENT, SPENT)


def test_admission_reports_the_threshold_it_crosses(latchkey: TestApp) -> None:
    """Only the admission that crosses a threshold reports it, as far as this process knows the usage."""
    latchkey.set_counters("acc_1", FREE, used=798)
    assert [admit("acc_1", FREE).crossed for _ in range(3)] == [(), (NEARLY_SPENT,), ()]
