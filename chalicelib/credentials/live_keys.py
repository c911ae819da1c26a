"""At most 20 live keys an account, held by a condition on the account itself: each live key stands there with its end.

More would neither be managed by a person nor fit the counters' one write unit (see `limits.windows`).
"""

from typing import Any

from pynamodb.exceptions import TransactWriteError
from pynamodb.expressions.condition import size
from pynamodb.expressions.operand import Path
from pynamodb.expressions.update import Action
from pynamodb.transactions import TransactWrite

from chalicelib.accounts.tables import Account
from chalicelib.core import clock, errors
from chalicelib.credentials.tables import Credential

LIVE_MAX = 20


def count_in(
    write: TransactWrite,
    account: Account,
    key: Credential,
    ended: dict[str, int],
    *,
    retiring: Credential | None = None,
) -> None:
    """Add to a transaction: count `key` in, take the `ended` out, and note the new end of a key that is `retiring`.

    The condition wins the race of two makers for the last place; that an ended key's end is unchanged wins the one
    against whoever gave it another.
    """
    actions: list[Action] = [_place(key.id).set(key.ends_at or 0)]
    leaving = dict(ended)
    condition = (Account.status == "active") & _place(key.id).does_not_exist()
    if retiring is not None:
        if retiring.is_live():
            actions.append(_place(retiring.id).set(retiring.ends_at or 0))
        else:
            leaving.pop(retiring.id, None)
            actions.append(_place(retiring.id).remove())
    for key_id, end_ms in leaving.items():
        actions.append(_place(key_id).remove())
        condition &= _place(key_id) == end_ms
    freed = len(leaving) + (retiring is not None and not retiring.is_live())
    condition &= size(Path(["live_keys"])) < LIVE_MAX + freed
    write.update(account, actions=actions, condition=condition, return_values="ALL_OLD")


def count_out(write: TransactWrite, account: Account, key: Credential) -> None:
    """Add to a transaction: `key` is live no longer."""
    write.update(account, actions=[_place(key.id).remove()], condition=Account.id.exists())


def ended_among(error: TransactWriteError, *, already_tried: dict[str, int]) -> dict[str, int]:
    """Return the keys to take out of the count, from the account as a refused transaction showed it.

    Raises Conflict when that would not make room, NotFound when there is no such active account.
    """
    account = next((reason.raw_item for reason in error.cancellation_reasons if reason and reason.raw_item), None)
    if account is None or account["status"]["S"] != "active":
        raise errors.NotFound("There is no such account.")
    ended = {key_id: end_ms for key_id, end_ms in _ends(account).items() if 0 < end_ms <= clock.now_ms()}
    if not ended or ended == already_tried:
        raise errors.Conflict(
            f"An account has at most {LIVE_MAX} live keys. Revoke one that you don't use, then try again."
        )
    return ended


def _ends(account: dict[str, Any]) -> dict[str, int]:
    return {key_id: int(end["N"]) for key_id, end in account.get("live_keys", {"M": {}})["M"].items()}


def _place(key_id: str) -> Path:
    return Path(["live_keys", key_id])
