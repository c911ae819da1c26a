"""The retry schedule and the conditions for disabling an endpoint equal those in the guide."""

from pathlib import Path

import pytest

from chalicelib.core import randomness
from chalicelib.webhooks import retry_schedule

NOW_MS = 1_640_000_000_000
LATER = "Mon, 20 Dec 2031 12:00:00 GMT"
MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
DELAYS_MS = [
    *(MINUTE_MS, 5 * MINUTE_MS, 30 * MINUTE_MS),
    *(hours * HOUR_MS for hours in (2, 5, 10, 14, 18, 22)),
]
GUIDE = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text()


@pytest.mark.parametrize(("tries", "wait_ms"), list(enumerate(DELAYS_MS, start=1)))
def test_each_delay_is_that_of_guide_with_jitter(tries: int, wait_ms: int) -> None:
    """Each delay is the one in the guide, plus or minus up to a tenth (jitter)."""
    assert "about 1, 5 and 30 minutes, 2, 5, 10, 14, 18 and 22 hours" in GUIDE
    assert "each a tenth\n  sooner or later" in GUIDE
    for drawn, factor in ((lambda _: 0, 0.9), (lambda bound: bound // 2, 1), (lambda bound: bound - 1, 1.1)):
        with randomness.use_generator(drawn):
            assert retry_schedule.next_attempt_at_ms(tries, NOW_MS) == NOW_MS + round(wait_ms * factor)


def test_tenth_attempt_is_the_last() -> None:
    """There are ten attempts, whose delays add up to about three days."""
    assert "up to ten" in GUIDE
    assert retry_schedule.next_attempt_at_ms(9, NOW_MS) is not None
    assert retry_schedule.next_attempt_at_ms(10, NOW_MS) is None
    assert retry_schedule.next_attempt_at_ms(11, NOW_MS) is None
    assert 2.9 * DAY_MS < sum(DELAYS_MS) < 3 * DAY_MS


def test_retry_after_only_postpones_attempt() -> None:
    """Retry-After can postpone an attempt but not bring it forward. No attempt is later than three days after the
    schedule began.
    """
    with randomness.use_generator(lambda bound: bound // 2):
        first_ms = NOW_MS + MINUTE_MS
        for asked_ms, at_ms in ((0, first_ms), (first_ms - 1, first_ms), (first_ms + 1, first_ms + 1)):
            assert retry_schedule.next_attempt_at_ms(1, NOW_MS, not_before_ms=asked_ms) == at_ms
        for since_ms, end_ms in (
            (None, NOW_MS + 3 * DAY_MS),
            (0, first_ms),
            (NOW_MS - HOUR_MS, NOW_MS - HOUR_MS + 3 * DAY_MS),
        ):
            assert retry_schedule.next_attempt_at_ms(1, NOW_MS, not_before_ms=2**50, since_ms=since_ms) == end_ms


@pytest.mark.parametrize(
    ("retry_after", "after_ms"),
    [
        *(("0", 0), ("1", 1_000), ("7200", 7_200_000), ("9" * 18, (10**18 - 1) * 1_000)),
        *(("Mon, 20 Dec 2021 11:33:20 GMT", None), ("Mon, 20 Dec 2021 11:33:21 GMT", 1_000)),
        *(("Mon," + " " * 12 + "20 Dec 2021 11:33:22 GMT", 2_000), ("Mon, ２０ Dec 2021 11:33:22 GMT", None)),
        *(("Mon," + " " * 13 + "20 Dec 2021 11:33:22 GMT", None), ("9" * 19, None)),
    ],
)
def test_retry_after_is_parsed_relative_to_now(retry_after: str, after_ms: int | None) -> None:
    """Retry-After may state seconds or a future date. Any other value is parsed as 0, which means no delay."""
    asked_ms = retry_schedule.parse_retry_after_ms(retry_after, NOW_MS)
    assert asked_ms == (0 if after_ms is None else NOW_MS + after_ms)


@pytest.mark.parametrize(("failures", "minutes"), [(0, 0), (1, 1), (2, 2), (14, 14), (15, 15), (16, 15), (1_000, 15)])
def test_back_off_grows_by_a_minute_each_time(failures: int, minutes: int) -> None:
    """The back-off grows by a minute with each failure, up to a quarter of an hour."""
    assert "once a quarter of an hour in the end" in GUIDE
    assert retry_schedule.quiet_until_ms(failures, NOW_MS) == NOW_MS + minutes * MINUTE_MS


@pytest.mark.parametrize(
    ("failures", "for_ms", "is_given_up"),
    [(10, DAY_MS, True), (9, DAY_MS, False), (10, DAY_MS - 1, False), (11, DAY_MS + 1, True), (9, 9 * DAY_MS, False)],
)
def test_endpoint_is_disabled_after_ten_failures_and_a_day(failures: int, for_ms: int, is_given_up: bool) -> None:
    """An endpoint is disabled only after ten failures in a row over at least a day."""
    assert "Ten failures in a row, for a day or more" in GUIDE
    assert retry_schedule.should_disable(failures, NOW_MS - for_ms, NOW_MS) is is_given_up


@pytest.mark.parametrize(
    "header",
    [
        *("9" * digits for digits in (1, 12, 18, 19, 20, 40, 5_000)),
        *("60, 60", "60, 7200", f"{LATER}, {LATER}", f"60, {LATER}", f"{LATER}, 60", "," * 200, "Mon," * 50),
        *(LATER, "Fri, 31 Dec 9999 23:59:59 GMT", "Fri, 31 Dec 0000 23:59:59 GMT", "-1", "\u0661", "60\u00a0", "%Y"),
    ],
)
@pytest.mark.parametrize("tries", [1, 9])
def test_any_retry_after_leads_to_attempt_within_three_days(header: str, tries: int) -> None:
    """Any value of Retry-After gives a time within three days and raises no error."""
    asked_ms = retry_schedule.parse_retry_after_ms(header, NOW_MS)
    next_ms = retry_schedule.next_attempt_at_ms(tries, NOW_MS, not_before_ms=asked_ms, since_ms=NOW_MS)
    assert next_ms is not None
    assert NOW_MS < next_ms <= NOW_MS + retry_schedule.SCHEDULE_MS
