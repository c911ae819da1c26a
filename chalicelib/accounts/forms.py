"""One-time form tokens, which prevent a console form from creating the same resource twice.

The transaction that creates the resource also consumes the token of the form. When a user reloads the response, the
browser submits the form again, and the second submission creates nothing.
"""

from chalicelib.accounts.tables import OneTimeToken
from chalicelib.core import clock, errors, secrets
from chalicelib.core.dynamodb import models

KEPT_S = 30 * clock.DAY_S


def consume(token: str, account_id: str) -> OneTimeToken:
    """Return the item that records the form token as consumed. It isn't stored yet; pass it to `add_to`."""
    now_ms = clock.now_ms()
    return OneTimeToken(
        secrets.digest(f"{account_id} {token}"),
        kind="form",
        account_id=account_id,
        expires_at=now_ms,
        consumed_at=now_ms,
        dies_at=now_ms // 1000 + KEPT_S,
    )


def add_to(write: models.Transaction, form: OneTimeToken) -> None:
    """Consume the form token in a transaction. Of two concurrent submissions one fails."""
    write.save(form, condition=OneTimeToken.digest.does_not_exist())


def already_submitted(made: str) -> errors.Conflict:
    """Return the error for a second submission of a form. `made` is the name of the created resource, such as "key"."""
    return errors.Conflict(f"This form was already submitted. Its {made} is in the list.")
