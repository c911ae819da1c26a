"""Decide when a failed delivery is retried and when its endpoint is disabled.

A delivery is attempted up to ten times over about three days, never before a time given in Retry-After (RFC 9110
§10.2.3). An endpoint is disabled by a 410 response, or after ten consecutive failures over at least one day.
"""

from contextlib import suppress
from datetime import UTC, datetime

from chalicelib.core import clock, http_syntax, randomness

_MINUTE_S = 60
RETRY_DELAYS_S = (
    _MINUTE_S,
    5 * _MINUTE_S,
    30 * _MINUTE_S,
    2 * clock.HOUR_S,
    5 * clock.HOUR_S,
    10 * clock.HOUR_S,
    14 * clock.HOUR_S,
    18 * clock.HOUR_S,
    22 * clock.HOUR_S,
)
"""The delay after each failed attempt. Their sum is 71.6 hours."""
SCHEDULE_MS = 3 * clock.DAY_S * 1000
"""A retry can be delayed by Retry-After until at most this many milliseconds after the start of the schedule."""
HTTP_DATES = ("%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y")
"""The preferred date format and the two obsolete formats that recipients must accept (RFC 9110 §5.6.7)."""
DATE_LENGTH_MAX = 40
ATTEMPTS_MAX = len(RETRY_DELAYS_S) + 1
JITTER_PERCENT = 10
"""Each delay varies at random by up to this percentage, so that a recovering receiver does not get all retries at once.
"""
QUIET_STEP_MS = 60_000
QUIET_MAX_MS = 15 * 60_000
"""The maximum back-off of an unreachable endpoint. The back-off grows with each failure, because one attempt can
occupy a function for 15 s.
"""
FAILURES_MAX = 10
FAILING_FOR_MS = clock.DAY_S * 1000
GONE = 410


def next_attempt_at_ms(tries: int, now_ms: int, *, not_before_ms: int = 0, since_ms: int | None = None) -> int | None:
    """Return when to retry after `tries` attempts (from 1); None after the last attempt.

    The retry isn't made before `not_before_ms`, the time in Retry-After. If that time is after the end of the schedule,
    the end is used instead. The schedule began at `since_ms` (None: now).
    """
    if tries >= ATTEMPTS_MAX:
        return None
    end_ms = (now_ms if since_ms is None else since_ms) + SCHEDULE_MS
    delay_ms = RETRY_DELAYS_S[tries - 1] * 1000
    spread_ms = delay_ms * JITTER_PERCENT // 100
    return max(min(not_before_ms, end_ms), now_ms + delay_ms - spread_ms + randomness.below(2 * spread_ms + 1))


def parse_retry_after_ms(retry_after: str, now_ms: int) -> int:
    """Return the time in a `Retry-After` header, given in seconds or as a date; 0 when it is malformed or past."""
    wait_s = http_syntax.parse_integer(retry_after)
    if wait_s is not None:
        return now_ms + wait_s * 1000
    if len(retry_after) > DATE_LENGTH_MAX or not retry_after.isascii():
        return 0
    for date_format in HTTP_DATES:
        with suppress(ValueError, OverflowError):
            at_ms = int(datetime.strptime(retry_after, date_format).replace(tzinfo=UTC).timestamp()) * 1000
            return at_ms if at_ms > now_ms else 0
    return 0


def quiet_until_ms(failures: int, now_ms: int) -> int:
    """Return when the back-off of an unreachable endpoint ends, after `failures` earlier consecutive failures."""
    return now_ms + min(failures * QUIET_STEP_MS, QUIET_MAX_MS)


def should_disable(failures: int, failing_since_ms: int, now_ms: int) -> bool:
    """Return whether an endpoint has failed often and long enough to be disabled."""
    return failures >= FAILURES_MAX and now_ms - failing_since_ms >= FAILING_FOR_MS
