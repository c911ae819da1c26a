"""Forms of the console that make something once: each carries a ticket, which is spent with what it makes.

A browser sends a form again when its answer is reloaded; the second time makes nothing.
"""

from chalicelib.accounts.tables import OneTimeToken
from chalicelib.core import clock, errors, secrets
from chalicelib.core.dynamodb import models

KEPT_S = 30 * clock.DAY_S


def spent(ticket: str, account_id: str) -> OneTimeToken:
    """Return the item that a ticket is spent by; whoever stores it does so on condition that there is none."""
    now_ms = clock.now_ms()
    return OneTimeToken(
        secrets.digest(f"{account_id} {ticket}"),
        kind="form",
        account_id=account_id,
        expires_at=now_ms,
        consumed_at=now_ms,
        dies_at=now_ms // 1000 + KEPT_S,
    )


def add_to(write: models.Transaction, form: OneTimeToken) -> None:
    """Add to a transaction: the form is used. Of two uses at once one wins."""
    write.save(form, condition=OneTimeToken.digest.does_not_exist())


def used_already(made: str) -> errors.Conflict:
    """Return what is said of a ticket that was spent before, on the thing that `made` names."""
    return errors.Conflict(f"This form was already submitted. Its {made} is in the list.")
