"""Change an account's name, tier or status, or a user's name or admin flag.

A change applies at the next request of each credential.
"""

from pynamodb.expressions.update import Action

from chalicelib.accounts import find, invalidation, owned_clients
from chalicelib.accounts.states import SUSPENDED
from chalicelib.accounts.tables import Account, User
from chalicelib.core import clock, errors
from chalicelib.core.dynamodb import models
from chalicelib.events import actors, kinds, record
from chalicelib.jobs import progress
from chalicelib.limits.tiers import Tier


def rename(account_id: str, name: str) -> Account:
    """Set the name of an account. No credential depends on the name, so no cached authorization is invalidated."""
    with models.raise_on_condition_failure(errors.NotFound("There is no such account.")), models.transaction() as write:
        # Without the condition, the update would recreate a deleted account.
        write.update(Account(account_id), actions=[Account.name.set(name)], condition=Account.listed.exists())
        record.add_to(write, account_id, kinds.ACCOUNT_RENAMED, {"name": name})
    return find.account_by_id(account_id)


def rename_user(user_id: str, name: str) -> User:
    """Set the name of a user. No credential depends on the name, so no cached authorization is invalidated."""
    with models.raise_on_condition_failure(errors.NotFound("There is no such user.")), models.transaction() as write:
        write.update(User(user_id), actions=[User.name.set(name)], condition=User.listed.exists())
        record.add_to(write, user_id, kinds.USER_RENAMED, {"name": name})
    return find.user_by_id(user_id)


def set_tier_and_status(
    account_id: str, *, tier: Tier | None, status: str | None, actor: str, reason: str | None = None
) -> None:
    """Set the tier and the status (`active` or `suspended`) of an account; None keeps the current value.

    A change of status also activates or deactivates the account's OAuth clients. The event records `actor` and
    `reason`. Raises NotFound if the account doesn't exist, and Conflict if the current actor would suspend their own
    account. Raises Unavailable if the change is stored but the invalidation mark couldn't be set or the ends of the
    clients couldn't be recorded; the caller can repeat the call.
    """
    if status == SUSPENDED:
        check_is_other(account_id)
    actions: list[Action] = []
    changed = {"tier": tier.name if tier else "", "status": status or ""}
    if tier is not None:
        actions += [Account.tier.set(tier.name), Account.tier_changed_at.set(clock.now_ms())]
    if status is not None:
        actions.append(Account.status.set(status))
    details = {name: value for name, value in changed.items() if value}
    not_found = errors.NotFound("There is no such account.")
    pending = progress.new(progress.OF_OWNER, account_id, waits=True) if status == SUSPENDED else None
    are_ends_recorded = True

    def add_to(write: models.Transaction) -> None:
        write.update(Account(account_id), actions=actions, condition=Account.listed.exists())
        record.add_to(write, account_id, kinds.STANDING_CHANGED, details, actor=actor, reason=reason)
        if pending is not None:
            write.save(pending)

    if status is None:
        with models.raise_on_condition_failure(not_found), models.transaction() as write:
            add_to(write)
    else:
        are_ends_recorded = owned_clients.set_status(account_id, status, add_to, refused=not_found)
    _require(invalidation.mark_account(account_id))
    if pending is not None:
        progress.save(pending, is_finished=owned_clients.finish(pending))
    if not are_ends_recorded:
        raise _not_yet_applied()


def check_is_other(account_id: str) -> None:
    """Raise Conflict when the account is that of the current actor, or another one of the actor's user."""
    acting = actors.current()
    user = User.found(acting.user_id) if acting.user_id else None
    own = (user and user.account_ids) or ()
    if account_id == acting.account_id or account_id in own:
        raise errors.Conflict("You can't suspend your own account. Ask another administrator.")


def set_admin(user_id: str, admin: bool) -> None:
    """Set or clear the admin flag of a user. While it is cleared, the scopes `admin` and `verify` of the user's keys
    have no effect.

    Raises NotFound if the user doesn't exist, and Unavailable if the invalidation mark couldn't be set.
    """
    with models.raise_on_condition_failure(errors.NotFound("There is no such user.")), models.transaction() as write:
        write.update(User(user_id), actions=[User.admin.set(admin)], condition=User.listed.exists())
        record.add_to(write, user_id, kinds.ADMIN_CHANGED, {"admin": "yes" if admin else "no"})
    _require(invalidation.mark_user(user_id))


def _require(is_marked: bool) -> None:
    if not is_marked:
        raise _not_yet_applied()


def _not_yet_applied() -> errors.Unavailable:
    return errors.Unavailable(
        "The change is made, but may take up to 5 more minutes to apply. Repeat the request to be sure."
    )
