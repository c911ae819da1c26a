"""The grace period of key rotation: how long the old key still works after `rotate` has replaced it."""

from chalicelib.limits.stale_marks import CLOCK_SKEW_S

DEFAULT_S = 86_400
MAX_S = 604_800


def ends_at_ms(now_ms: int, grace_s: int, earlier_end_ms: int | None) -> int:
    """Return when the old key stops working: `grace_s` after the rotation at `now_ms`.

    A key in its grace period can be rotated again once its successor is no longer active. That doesn't extend the grace
    period, which ends at `earlier_end_ms` (None: the key wasn't rotated before).
    """
    # Without a grace period, the old key must have expired even on a function whose clock is behind.
    end_ms = now_ms + (grace_s if grace_s > 0 else -CLOCK_SKEW_S) * 1000
    return end_ms if earlier_end_ms is None else min(end_ms, earlier_end_ms)
