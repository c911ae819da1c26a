"""Limit an account to 20 active keys.

The account item maps each active key to its expiry, and the limit is a condition on this map. The number of keys is
limited because the DynamoDB item that counts an account's requests contains one counter for each key and must fit in a
single write unit (see `limits.counter_items`).
"""

from typing import Any

from pynamodb.exceptions import TransactWriteError
from pynamodb.expressions.condition import Condition, size
from pynamodb.expressions.operand import Path
from pynamodb.expressions.update import Action

from chalicelib.accounts import email_sender, managers, roles, unverified
from chalicelib.accounts.states import ACTIVE
from chalicelib.accounts.tables import Account, Member, User
from chalicelib.core import clock, errors
from chalicelib.core.dynamodb import models
from chalicelib.credentials.principal import KEY, Principal
from chalicelib.credentials.tables import Credential

LIVE_MAX = 20
ROUNDS_MAX = 60
"""The maximum number of times that the creation of a key is tried. A try fails only if the account's keys were changed
concurrently.
"""


def add_key(
    write: models.Transaction,
    account: Account,
    key: Credential,
    expired: dict[str, int],
    *,
    only_if: Condition | None = None,
    retiring: Credential | None = None,
) -> None:
    """In a transaction, add `key` to the active keys, remove the `expired` keys, and update the expiry of a `retiring`
    key.

    `only_if` is an additional condition on the account. If two concurrent requests create the last allowed key, one
    fails. An expired key is removed only if its expiry is unchanged.
    """
    actions: list[Action] = [_entry(key.id).set(key.listed_end)]
    leaving = dict(expired)
    condition = (Account.status == ACTIVE) & _entry(key.id).does_not_exist()
    if only_if is not None:
        condition &= only_if
    if retiring is not None:
        if retiring.is_live():
            actions.append(_entry(retiring.id).set(retiring.listed_end))
        else:
            leaving.pop(retiring.id, None)
            actions.append(_entry(retiring.id).remove())
    for key_id, end_ms in leaving.items():
        actions.append(_entry(key_id).remove())
        condition &= _entry(key_id) == end_ms
    freed = len(leaving) + (retiring is not None and not retiring.is_live())
    condition &= size(Path(["live_keys"])) < LIVE_MAX + freed
    write.update(account, actions=actions, condition=condition, return_values="ALL_OLD")


def remove_key(write: models.Transaction, account: Account, key: Credential) -> None:
    """Remove `key` from the active keys in a transaction."""
    write.update(account, actions=[_entry(key.id).remove()], condition=Account.id.exists())


def creator_is_unchanged(creator: Principal) -> Condition:
    """Return the condition on the account under which a `creator` may create a key: the creator's own expiry is
    unchanged.

    Thus the creation fails if the creator was concurrently rotated or revoked. The fields of `creator` don't show such
    a change, because the creator was verified earlier. `check_user` adds the conditions on the creator's user.
    """
    condition = managers.no_proof_after(Account, creator.verified_at_ms)
    if creator.kind == KEY:
        condition &= _entry(creator.credential_id) == creator.ends_at_ms
    return condition


def check_user(write: models.Transaction, creator: Principal | None, *, must_be_verified: bool = False) -> None:
    """Add to a transaction that creates a key the conditions that the creator's user is unchanged: still a member with
    the same role, the session not ended, the address not verified for the first time.

    If `must_be_verified`, the address must be verified where email is configured. The operator, None, has no user.
    """
    if creator is None or roles.is_service_user(creator.user_id, creator.account_id):
        return
    condition: Condition = (User.status == ACTIVE) & managers.no_proof_after(User, creator.verified_at_ms)
    if creator.session_epoch is not None:
        condition &= User.session_epoch == creator.session_epoch
    if must_be_verified and email_sender.is_configured():
        condition &= User.email_verified_at.exists()
    write.condition_check(User, creator.user_id, condition=condition)
    write.condition_check(Member, creator.account_id, creator.user_id, condition=Member.role == creator.role)


def expired_after(error: TransactWriteError, account: Account, creator: Principal | None) -> dict[str, int]:
    """Return what `expired_keys` returns, from the `error` of the failed transaction.

    Raises NotFound unless the account is active, and Conflict if the creator or the creator's user has changed.
    """
    if creator is not None:
        _explain_user(error, creator)
    return expired_keys(_account_from(error, account), creator)


def _explain_user(error: TransactWriteError, creator: Principal) -> None:
    """Raise Conflict if a condition that `check_user` added has failed."""
    if roles.is_service_user(creator.user_id, creator.account_id):
        return
    is_user_changed = models.find_failed_write(error, User(creator.user_id)) is not None
    member = models.find_failed_write(error, Member(creator.account_id, creator.user_id))
    if member is not None:
        raise errors.Conflict("Your role in this account has changed in the meantime. Reload the page and try again.")
    if is_user_changed:
        user = User.found(creator.user_id)
        if user is not None:
            unverified.require_verified_email(user)
        raise _creator_has_changed()


def _account_from(error: TransactWriteError, account: Account) -> dict[str, Any]:
    """Return the account item that was returned with a failed transaction.

    Raises NotFound unless the account is active.
    """
    item = models.find_failed_write(error, account)
    if not item or item["status"]["S"] != ACTIVE:
        raise errors.NotFound("There is no such account.")
    return item


def expired_keys(account: dict[str, Any], creator: Principal | None) -> dict[str, int]:
    """Return the expired keys that the next try must remove, from the `account` item that failed the condition.

    The result is empty if a concurrent request has removed them already. Raises Conflict if the account has the maximum
    number of active keys, or the `creator` is no longer valid.
    """
    ends = _ends(account)
    if creator is not None and not _creator_is_unchanged(creator, account, ends):
        raise _creator_has_changed()
    expired = {key_id: end_ms for key_id, end_ms in ends.items() if 0 < end_ms <= clock.now_ms()}
    if len(ends) - len(expired) >= LIVE_MAX:
        raise errors.Conflict(
            f"An account has at most {LIVE_MAX} active keys. Revoke one that you don't use, then try again."
        )
    return expired


def _creator_is_unchanged(creator: Principal, account: dict[str, Any], ends: dict[str, int]) -> bool:
    if int(account.get("credentials_since", {"N": "0"})["N"]) > creator.verified_at_ms:
        return False
    return creator.kind != KEY or ends.get(creator.credential_id) == creator.ends_at_ms


def _ends(account: dict[str, Any]) -> dict[str, int]:
    return {key_id: int(end["N"]) for key_id, end in account.get("live_keys", {"M": {}})["M"].items()}


def _entry(key_id: str) -> Path:
    return Path(["live_keys", key_id])


def _creator_has_changed() -> errors.Conflict:
    return errors.Conflict("Your session or key has expired, or was revoked or rotated, in the meantime.")
