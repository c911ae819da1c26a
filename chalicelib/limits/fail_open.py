"""Fail open: when a call to DynamoDB fails, admit all requests for one second without a call."""

from chalicelib.core.process_cache import ProcessCache

DURATION_MS = 1_000

_until_ms: ProcessCache[str, int] = ProcessCache("limits.fail_open", 1)


def start(now_ms: int) -> None:
    """Start to fail open, because DynamoDB didn't respond to a call."""
    _until_ms[""] = now_ms + DURATION_MS


def is_active(now_ms: int) -> bool:
    """Return whether requests are admitted without a call.

    The result is False if the clock was set back to before the failed call.
    """
    until_ms = _until_ms.get("", 0)
    return until_ms - DURATION_MS <= now_ms < until_ms
