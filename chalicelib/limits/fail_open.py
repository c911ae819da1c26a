"""Fail open: while DynamoDB is unavailable, admit requests without a call for one second after each failed call."""

from chalicelib.core.process_cache import ProcessCache

DURATION_MS = 1_000

_until_ms: ProcessCache[str, int] = ProcessCache("limits.fail_open", 1)


def start(now_ms: int) -> None:
    """Start failing open, after a call without a response."""
    _until_ms[""] = now_ms + DURATION_MS


def is_active(now_ms: int) -> bool:
    """Return whether to admit without a call. A clock that is set back doesn't prolong this."""
    until_ms = _until_ms.get("", 0)
    return until_ms - DURATION_MS <= now_ms < until_ms
