"""When a delivery that failed is tried again, and when an endpoint is given up.

Ten attempts within about three days; a receiver that says when to come back (RFC 9110 §10.2.3) isn't met before. An
endpoint that says 410 wants no more; one that fails ten times in a row for a day isn't there any more.
"""

from contextlib import suppress
from datetime import UTC, datetime

from chalicelib.core import clock, http_syntax, randomness

_MINUTE_S = 60
WAITS_S = (
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
"""How long after each attempt the next one comes: together 71.6 hours."""
SCHEDULE_MS = 3 * clock.DAY_S * 1000
"""No receiver can ask for a try later than so long after the first."""
HTTP_DATES = ("%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y")
"""The form of today, and the two that must still be read (RFC 9110 §5.6.7)."""
DATE_LENGTH_MAX = 40
ATTEMPTS_MAX = len(WAITS_S) + 1
JITTER_PERCENT = 10
"""So much sooner or later: a receiver that comes back isn't met by everything at once."""
QUIET_STEP_MS = 60_000
QUIET_MAX_MS = 15 * 60_000
"""An endpoint where nobody answers is left alone for longer each time: trying it costs a function 15 s."""
FAILURES_MAX = 10
FAILING_FOR_MS = clock.DAY_S * 1000
GONE = 410


def next_at_ms(tries: int, now_ms: int, *, not_before_ms: int = 0, since_ms: int | None = None) -> int | None:
    """Return when to try again after `tries` attempts (from 1), None when that was the last.

    Not before the moment that the receiver asked for, as far as that lies within the schedule, which began at
    `since_ms` (None: now).
    """
    if tries >= ATTEMPTS_MAX:
        return None
    end_ms = (now_ms if since_ms is None else since_ms) + SCHEDULE_MS
    wait_ms = WAITS_S[tries - 1] * 1000
    spread_ms = wait_ms * JITTER_PERCENT // 100
    return max(min(not_before_ms, end_ms), now_ms + wait_ms - spread_ms + randomness.below(2 * spread_ms + 1))


def asked_for_ms(retry_after: str, now_ms: int) -> int:
    """Return the moment that a `Retry-After` names, in seconds or as a date; 0 for what is neither, or is over."""
    wait_s = http_syntax.whole(retry_after)
    if wait_s is not None:
        return now_ms + wait_s * 1000
    if len(retry_after) > DATE_LENGTH_MAX or not retry_after.isascii():
        return 0
    for form in HTTP_DATES:
        with suppress(ValueError, OverflowError):
            at_ms = int(datetime.strptime(retry_after, form).replace(tzinfo=UTC).timestamp()) * 1000
            return at_ms if at_ms > now_ms else 0
    return 0


def quiet_until_ms(failures: int, now_ms: int) -> int:
    """Return until when an endpoint where nobody answers is left alone, after `failures` before that in a row."""
    return now_ms + min(failures * QUIET_STEP_MS, QUIET_MAX_MS)


def is_given_up(failures: int, failing_since_ms: int, now_ms: int) -> bool:
    """Tell whether an endpoint has failed so often, for so long, that nothing more is sent to it."""
    return failures >= FAILURES_MAX and now_ms - failing_since_ms >= FAILING_FOR_MS
