"""Change the role of a member, or transfer the account. The last owner can't become anything else."""

from pynamodb.exceptions import TransactWriteError

from chalicelib.accounts import invalidation, managers, members, roles, unverified
from chalicelib.accounts.managers import Manager
from chalicelib.accounts.members import Membership
from chalicelib.accounts.tables import Account, Member
from chalicelib.core import errors
from chalicelib.core.dynamodb import models
from chalicelib.events import kinds, record


def member_of(account_id: str, user_id: str) -> Membership:
    """Return the membership of a user in an account; raise NotFound if the user isn't a member."""
    return members.read(account_id, user_id, not_found="There is no such member.")


def change_role(manager: Manager, user_id: str, role: str) -> Membership:
    """Set the role of a member, who may be the manager.

    Raises NotFound if there is no such member, InsufficientRole if the manager may not change the present role or give
    the new one, and Conflict if the member is the last owner or was changed concurrently. Raises Unavailable if the
    role is changed but the invalidation mark couldn't be set.
    """
    present = member_of(manager.account_id, user_id)
    managers.require_may_give(manager, present.role)
    managers.require_may_give(manager, role)
    unverified.require_verified(manager)
    if manager.user_id == user_id and manager.role != present.role:
        raise role_changed()
    if role != present.role:
        _store(manager, present, role)
    # Set the mark even if the role is unchanged, because an earlier call may have failed to set it.
    if not invalidation.mark_account(manager.account_id):
        raise errors.Unavailable(
            "The role is changed, but this may take up to 5 more minutes to apply. Repeat the request to be sure."
        )
    return member_of(manager.account_id, user_id)


def transfer_ownership(manager: Manager, user_id: str) -> None:
    """Make another member an owner and the manager, who is an owner, an admin, in one transaction.

    Raises NotFound if there is no such member, InsufficientRole if the manager isn't an owner, and Conflict if the
    member is an owner already or if one of the two was changed concurrently. Raises Unavailable if the account is
    transferred but the invalidation mark couldn't be set.
    """
    present = member_of(manager.account_id, user_id)
    managers.require_may_give(manager, roles.OWNER)
    unverified.require_verified(manager)
    if present.role == roles.OWNER:
        raise errors.Conflict("This member is an owner already. To stop being one yourself, change your own role.")
    account_id = manager.account_id
    with models.raise_on_condition_failure(role_changed()), models.transaction() as write:
        for member, before, after in (
            (user_id, present.role, roles.OWNER),
            (manager.user_id, roles.OWNER, roles.ADMIN),
        ):
            write.update(Member(account_id, member), actions=[Member.role.set(after)], condition=Member.role == before)
            record.add_to(write, account_id, kinds.MEMBER_ROLE_CHANGED, {"user": member, "role": after})
        managers.require_unchanged(write, manager, of=manager.user_id)
    if not invalidation.mark_account(account_id):
        raise errors.Unavailable("The account is transferred, but this may take up to 5 more minutes to apply.")


def changed_meanwhile(error: TransactWriteError, present: Membership) -> errors.Conflict:
    """Return the error for a change of a member whose transaction has failed."""
    if present.role == roles.OWNER and models.find_failed_write(error, Account(present.account.id)) is not None:
        account = Account.found(present.account.id)
        if account is not None and account.owners <= 1:
            return errors.Conflict(
                "An account needs at least one owner. Make another member an owner first, or delete the account."
            )
    return role_changed()


def _store(manager: Manager, present: Membership, role: str) -> None:
    account_id, user_id = present.account.id, present.user.id
    try:
        with models.transaction() as write:
            write.update(
                Member(account_id, user_id), actions=[Member.role.set(role)], condition=Member.role == present.role
            )
            owners = (role == roles.OWNER) - (present.role == roles.OWNER)
            managers.require_unchanged(write, manager, owners=owners, of=user_id)
            record.add_to(write, account_id, kinds.MEMBER_ROLE_CHANGED, {"user": user_id, "role": role})
    except TransactWriteError as error:
        if not models.is_condition_failure(error):
            raise
        raise changed_meanwhile(error, present) from None


def role_changed() -> errors.Conflict:
    """Return the error for a request that read a role which has changed since."""
    return errors.Conflict("A role in this account was changed in the meantime. Reload the page and try again.")
