"""Fail open: while DynamoDB is unavailable, admit requests without a call for one second after each failed call."""

LASTS_MS = 1_000

_until_ms = 0


def begins(now_ms: int) -> None:
    """Start failing open, after a call without a response."""
    global _until_ms
    _until_ms = now_ms + LASTS_MS


def lasts(now_ms: int) -> bool:
    """Return whether to admit without a call. A clock that is set back doesn't prolong it."""
    return _until_ms - LASTS_MS <= now_ms < _until_ms


def forget() -> None:
    """Reset to the state of a new process."""
    global _until_ms
    _until_ms = 0
