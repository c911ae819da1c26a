"""Lifetimes of console sessions and remembered devices.

A session expires after 12 hours without use, and at the latest after 14 days.
"""

from chalicelib.accounts.tables import Session

IDLE_MS = 12 * 3_600_000
IN_ALL_MS = 14 * 24 * 3_600_000
DEVICE_MS = 365 * 24 * 3_600_000
SEEN_EVERY_MS = 5 * 60_000
"""Minimum time between two updates of `seen_at`, because an update at every page would cause too many writes."""


def is_expired(session: Session, now_ms: int) -> bool:
    """Return whether a session has been unused for too long, or is too old."""
    return now_ms - session.seen_at >= IDLE_MS or now_ms - session.created_at >= IN_ALL_MS
