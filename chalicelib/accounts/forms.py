"""Forms that make something once: what a form carries is spent with what it makes, so a reload makes no second one."""

from chalicelib.accounts.tables import Ticket
from chalicelib.core import clock, secrets

KEPT_S = 30 * clock.DAY_S
"""Longer than a page stays open."""


def spent(form: str, account_id: str) -> Ticket:
    """Return what an account's form leaves behind when it is used, to be stored if nothing stands there yet."""
    now_ms = clock.now_ms()
    return Ticket(
        secrets.digest(f"{account_id} {form}"),
        kind="form",
        account_id=account_id,
        expires_at=now_ms,
        consumed_at=now_ms,
        dies_at=now_ms // 1000 + KEPT_S,
    )
