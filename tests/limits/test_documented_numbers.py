"""The numbers in docs/architecture.md equal the constants of the limits."""

from pathlib import Path

import pytest

from chalicelib.limits import (
    anonymous_limits,
    burst,
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
        f"windows are kept {burst.SLOTS_KEPT_S} seconds past their end",
        f"at most {counter_items.COUNTERS_MAX} counters of keys by name",
        f"rejects from memory for {local_cache.QUOTA_RECHECK_MS / 1000:g} seconds and then asks again",
        f"or after {rejection_counts.FLUSH_AFTER_MS / 1000:g} seconds without one",
        f"in the past one within {stale_marks.CLOCK_SKEW_S} seconds of the border",
        f"at most {IN_WORDS[leases.FRACTION]} of what the function admitted in the last second",
        f"Leases end at {leases.FILLED_PERCENT} % of the burst",
        f"brings the hour to {quota_thresholds.NEARLY_PERCENT} % of its quota",
        f"which has {IN_WORDS[anonymous_limits.WIDER]} times as much (`limits/anonymous_limits.py`)",
        f"| {recorded_usage.NETWORKS_MAX}, then `n_other` counts the admissions |",
        f"| {recorded_usage.SHARED_BYTES} bytes together with the next two; then `r_other` says that the hour",
        f"| {recorded_usage.CREDENTIALS_MAX}, then `f_other` |",
        f"| {recorded_usage.CREDENTIALS_MAX}; `refused` has all |",
    ],
)
def test_number_matches_the_architecture_page(sentence: str) -> None:
    """Each sentence, with the value of its constant inserted, is in docs/architecture.md."""
    assert sentence in PAGE


@pytest.mark.parametrize("length_ms", [leases.LIFETIME_MS, fail_open.DURATION_MS])
def test_leases_and_fail_open_last_at_most_one_second(length_ms: int) -> None:
    """A lease and the fail-open state end after one second, so a change or a recovery takes effect by then."""
    assert "Under a lease, which is spent within its second, a change may take effect one second late." in PAGE
    assert "the request passes uncounted, and so do all others of this function for one second, without a call" in PAGE
    assert length_ms == 1_000
