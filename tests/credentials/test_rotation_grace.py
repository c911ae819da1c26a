"""The end of the grace period of a rotated key."""

from chalicelib.credentials.rotation_grace import ends_at_ms
from chalicelib.limits.stale_marks import CLOCK_SKEW_S

NOW_MS = 1_640_000_000_000


def test_grace_period_starts_at_the_rotation() -> None:
    """The old key works for the grace period after the rotation."""
    assert ends_at_ms(NOW_MS, 60, None) == NOW_MS + 60_000


def test_no_grace_period_ends_before_any_clock() -> None:
    """Without a grace period, the old key has expired even on a function whose clock is behind."""
    assert ends_at_ms(NOW_MS, 0, None) == NOW_MS - CLOCK_SKEW_S * 1000


def test_second_rotation_shortens_but_never_extends() -> None:
    """If a key in its grace period is rotated again, the earlier of the two ends applies."""
    assert ends_at_ms(NOW_MS, 60, NOW_MS + 10_000) == NOW_MS + 10_000
    assert ends_at_ms(NOW_MS, 60, NOW_MS + 90_000) == NOW_MS + 60_000
