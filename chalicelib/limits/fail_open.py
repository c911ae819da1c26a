"""While DynamoDB can't answer, requests pass unasked, a second at a time: one slow call a second, not one each."""

LASTS_MS = 1_000

_until_ms = 0


def begins(now_ms: int) -> None:
    """Note that a call got no answer."""
    global _until_ms
    _until_ms = now_ms + LASTS_MS


def lasts(now_ms: int) -> bool:
    """Tell whether asking again would be too early. A clock that jumps back doesn't prolong it."""
    return _until_ms - LASTS_MS <= now_ms < _until_ms


def forget() -> None:
    """Forget the outage, as a new process would."""
    global _until_ms
    _until_ms = 0
