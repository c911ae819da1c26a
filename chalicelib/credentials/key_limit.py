"""At most 20 live keys an account, held by a condition on the account itself: each live key stands there with its end.

More would neither be managed by a person nor fit the counters' one write unit (see `limits.counter_items`).
"""

from typing import Any

from pynamodb.exceptions import TransactWriteError
from pynamodb.expressions.condition import Condition, size
from pynamodb.expressions.operand import Path
from pynamodb.expressions.update import Action

from chalicelib.accounts.tables import Account
from chalicelib.core import clock, errors
from chalicelib.core.dynamodb import models
from chalicelib.credentials.principal import KEY, Principal
from chalicelib.credentials.tables import Credential

LIVE_MAX = 20
ROUNDS_MAX = 60
"""How often a maker of a key starts again because another got ahead: each of those made or ended a key."""


def count_in(
    write: models.Transaction,
    account: Account,
    key: Credential,
    ended: dict[str, int],
    *,
    only_if: Condition | None = None,
    retiring: Credential | None = None,
) -> None:
    """Add to a transaction: count `key` in, take the `ended` out, and note the new end of a key that is `retiring`.

    `only_if` is what else must be so of the account. The condition wins the race of two makers for the last place; that
    an ended key's end is unchanged wins the one against whoever gave it another.
    """
    actions: list[Action] = [_place(key.id).set(key.listed_end)]
    leaving = dict(ended)
    condition = (Account.status == "active") & _place(key.id).does_not_exist()
    if only_if is not None:
        condition &= only_if
    if retiring is not None:
        if retiring.is_live():
            actions.append(_place(retiring.id).set(retiring.listed_end))
        else:
            leaving.pop(retiring.id, None)
            actions.append(_place(retiring.id).remove())
    for key_id, end_ms in leaving.items():
        actions.append(_place(key_id).remove())
        condition &= _place(key_id) == end_ms
    freed = len(leaving) + (retiring is not None and not retiring.is_live())
    condition &= size(Path(["live_keys"])) < LIVE_MAX + freed
    write.update(account, actions=actions, condition=condition, return_values="ALL_OLD")


def count_out(write: models.Transaction, account: Account, key: Credential) -> None:
    """Add to a transaction: `key` is live no longer."""
    write.update(account, actions=[_place(key.id).remove()], condition=Account.id.exists())


def ends_as_verified(maker: Principal) -> Condition:
    """Return the condition on the account under which its `maker` may make a key: it ends when its verdict says.

    Wins against whoever rotates or revokes the maker, ends its session, or proves the address for the first time, at
    the same moment: a verdict from before that may say that the maker never ends.
    """
    since = Account.credentials_since
    condition: Condition = since.does_not_exist() | (since <= maker.verified_at_ms)
    if maker.session_epoch is not None:
        condition &= Account.session_epoch == maker.session_epoch
    elif maker.kind == KEY:
        condition &= _place(maker.credential_id) == maker.ends_at_ms
    return condition


def account_in(error: TransactWriteError, account: Account) -> dict[str, Any]:
    """Return the account as a refused transaction showed it; raise NotFound when it isn't there, or isn't active."""
    shown = models.refused_write(error, account)
    if not shown or shown["status"]["S"] != "active":
        raise errors.NotFound("There is no such account.")
    return shown


def ended_among(account: dict[str, Any], maker: Principal | None) -> dict[str, int]:
    """Return the keys to take out of the count with the next try, of an `account` that refused one.

    Empty when someone else took them out meanwhile: then there is room now. Raises Conflict when there would be no
    room, or its `maker` is over.
    """
    ends = _ends(account)
    if maker is not None and not _ends_as_verified(maker, account, ends):
        raise errors.Conflict("Your session or key has expired, or was revoked or rotated, in the meantime.")
    ended = {key_id: end_ms for key_id, end_ms in ends.items() if 0 < end_ms <= clock.now_ms()}
    if len(ends) - len(ended) >= LIVE_MAX:
        raise errors.Conflict(
            f"An account has at most {LIVE_MAX} active keys. Revoke one that you don't use, then try again."
        )
    return ended


def _ends_as_verified(maker: Principal, account: dict[str, Any], ends: dict[str, int]) -> bool:
    if int(account.get("credentials_since", {"N": "0"})["N"]) > maker.verified_at_ms:
        return False
    if maker.session_epoch is not None:
        return int(account.get("session_epoch", {"N": "0"})["N"]) == maker.session_epoch
    return maker.kind != KEY or ends.get(maker.credential_id) == maker.ends_at_ms


def _ends(account: dict[str, Any]) -> dict[str, int]:
    return {key_id: int(end["N"]) for key_id, end in account.get("live_keys", {"M": {}})["M"].items()}


def _place(key_id: str) -> Path:
    return Path(["live_keys", key_id])
