"""Who may manage an account: its members and invitations by role, and what must still hold when a change is stored."""

from dataclasses import dataclass

from pynamodb.exceptions import TransactWriteError
from pynamodb.expressions.condition import Condition

from chalicelib.accounts import roles
from chalicelib.accounts.tables import Account, Member, User
from chalicelib.core import errors
from chalicelib.core.dynamodb import models

NOW_MS = 2**53
"""A time after every other one."""


@dataclass(frozen=True, slots=True)
class Manager:
    """Who manages the members of an account: a user of it, or its service user, with the role of the request."""

    account_id: str
    user_id: str
    role: str
    verified_at_ms: int = NOW_MS
    """The time (ms) at which this was verified. A first verification of an address after it makes it invalid."""
    credential_id: str | None = None
    """The credential of the request. The service user can't invite without one."""


def require_may_give(manager: Manager, role: str) -> None:
    """Raise InsufficientRole unless the manager may invite, change or remove members with `role`.

    Admins manage members below owner, and owners all.
    """
    if not may_give(manager, role):
        raise errors.InsufficientRole(_least_to_give(role))


def may_give(manager: Manager, role: str) -> bool:
    """Return whether the manager may invite, change or remove members with `role`."""
    return roles.has_rights_of(manager.role, _least_to_give(role))


def _least_to_give(role: str) -> str:
    return roles.OWNER if role == roles.OWNER else roles.ADMIN


def require_unchanged(write: models.Transaction, manager: Manager, *, owners: int = 0, of: str = "") -> None:
    """Add to a transaction the conditions that the account exists and that the manager still has their role in it.

    The write of the account also adds `owners` to its number of owners. If that is negative, the condition requires
    that one remains. `of` is the user whose membership the transaction changes: if it is the manager's own, its write
    has the condition on the role.
    """
    condition = Account.listed.exists() & no_proof_after(Account, manager.verified_at_ms)
    if owners < 0:
        condition &= Account.owners > 1
    if owners:
        write.update(Account(manager.account_id), actions=[Account.owners.add(owners)], condition=condition)
    else:
        write.condition_check(Account, manager.account_id, condition=condition)
    if manager.user_id != of and not roles.is_service_user(manager.user_id, manager.account_id):
        write.condition_check(Member, manager.account_id, manager.user_id, condition=Member.role == manager.role)


def no_proof_after(model: type[Account] | type[User], verified_at_ms: int) -> Condition:
    """Return the condition that no address was verified for the first time since `verified_at_ms`, which would end what
    was created before: for an account, the address of its creator.
    """
    since = model.credentials_since
    condition: Condition = since.does_not_exist() | (since <= verified_at_ms)
    return condition


def require_role(write: models.Transaction, account: Account, user_id: str, least: str) -> None:
    """Add to a transaction the condition that a user still has at least the rights of the role `least` in an account.

    `account` was read before. The service user has its rights on its credentials.
    """
    if not roles.is_service_user(user_id, account.id):
        allowed = roles.ALL[: roles.ALL.index(least) + 1]
        condition = Member.role.is_in(*allowed) & (Member.since >= account.credentials_since)
        write.condition_check(Member, account.id, user_id, condition=condition)


def explain_role(error: TransactWriteError, account_id: str, user_id: str) -> None:
    """Raise Conflict if the condition that `require_role` added has failed."""
    if roles.is_service_user(user_id, account_id):
        return
    if models.find_failed_write(error, Member(account_id, user_id)) is not None:
        raise errors.Conflict("Your role in this account has changed in the meantime. Reload the page and try again.")
