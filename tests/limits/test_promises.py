"""Numbers of the limits that the architecture page promises."""

from pathlib import Path

import pytest

from chalicelib.limits import (
    anonymous_limits,
    counter_items,
    fail_open,
    leases,
    local_cache,
    quota_thresholds,
    recorded_usage,
    rejection_counts,
    stale_marks,
)

PAGE = " ".join((Path(__file__).parents[2] / "docs/architecture.md").read_text().split())
IN_WORDS = {4: "four", 10: "a tenth"}


@pytest.mark.parametrize(
    "sentence",
    [
        f"windows are kept {counter_items.SLOTS_KEPT_S} seconds past their end",
        f"at most {counter_items.COUNTERS_MAX} counters of keys by name",
        f"refuses from memory for {local_cache.QUOTA_ASKED_AGAIN_MS / 1000:g} seconds and then asks again",
        f"or after {rejection_counts.HELD_MS / 1000:g} seconds by themselves",
        f"in the past one within {stale_marks.CLOCK_SKEW_S} seconds of the border",
        f"at most {IN_WORDS[leases.PART]} of what the function let through in the last second",
        f"Leases end at {leases.FILLED_PERCENT} % of the burst",
        f"brings the hour to {quota_thresholds.NEARLY_PERCENT} % of its quota",
        f"which has {IN_WORDS[anonymous_limits.WIDER]} times as much (`limits/anonymous_limits.py`)",
        f"| {recorded_usage.NETWORKS_MAX}, then `n_other` counts the admissions |",
        f"| {recorded_usage.SHARED_BYTES} bytes together with the next two; then `r_other` says that the hour",
        f"| {recorded_usage.NAMED_MAX}, then `f_other` |",
        f"| {recorded_usage.NAMED_MAX}; `refused` has all |",
    ],
)
def test_number_is_the_one_that_the_architecture_page_names(sentence: str) -> None:
    """A change of one is a change of both."""
    assert sentence in PAGE


@pytest.mark.parametrize("length_ms", [leases.LIVES_MS, fail_open.LASTS_MS])
def test_what_is_let_through_unasked_is_bounded_by_one_second(length_ms: int) -> None:
    """A change is noticed within a second under a lease, and so is the database's return after an outage."""
    assert "What a lease holds is spent within its second, so there the change may be that late." in PAGE
    assert "the request passes, and for one second so do others, unasked" in PAGE
    assert length_ms == 1_000
