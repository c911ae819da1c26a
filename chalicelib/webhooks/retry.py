"""When a delivery that failed is tried again, and when an endpoint is given up.

Ten attempts within about three days. An endpoint that says 410 wants no more; one that fails ten times in a row for a
day isn't there any more.
"""

from chalicelib.core import clock, randomness

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
ATTEMPTS_MAX = len(WAITS_S) + 1
JITTER_PERCENT = 10
"""So much sooner or later: a receiver that comes back isn't met by everything at once."""
QUIET_STEP_MS = 60_000
QUIET_MAX_MS = 15 * 60_000
"""An endpoint where nobody answers is left alone for longer each time: trying it costs a function 15 s."""
FAILURES_MAX = 10
FAILING_FOR_MS = clock.DAY_S * 1000
GONE = 410


def next_at_ms(tries: int, now_ms: int) -> int | None:
    """Return when to try again after `tries` attempts (from 1), None when that was the last."""
    if tries >= ATTEMPTS_MAX:
        return None
    wait_ms = WAITS_S[tries - 1] * 1000
    spread_ms = wait_ms * JITTER_PERCENT // 100
    return now_ms + wait_ms - spread_ms + randomness.below(2 * spread_ms + 1)


def quiet_until_ms(failures: int, now_ms: int) -> int:
    """Return until when an endpoint where nobody answers is left alone, after `failures` before that in a row."""
    return now_ms + min(failures * QUIET_STEP_MS, QUIET_MAX_MS)


def is_given_up(failures: int, failing_since_ms: int, now_ms: int) -> bool:
    """Tell whether an endpoint has failed so often, for so long, that nothing more is sent to it."""
    return failures >= FAILURES_MAX and now_ms - failing_since_ms >= FAILING_FOR_MS
