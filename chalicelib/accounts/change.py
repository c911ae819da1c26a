"""Change an account: its name, tier, status or admin flag. A change applies at the next request of each credential."""

from pynamodb.expressions.update import Action

from chalicelib.accounts import find, owned_clients, pending_terminations
from chalicelib.accounts.states import SUSPENDED
from chalicelib.accounts.tables import Account
from chalicelib.core import errors
from chalicelib.core.dynamodb import models
from chalicelib.events import actors, kinds, record
from chalicelib.limits import stale_marks
from chalicelib.limits.tiers import Tier


def rename(account_id: str, name: str) -> Account:
    """Set the name of an account. No credential depends on the name, so no cached authorization is invalidated."""
    with models.raise_on_condition_failure(errors.NotFound("There is no such user.")), models.transaction() as write:
        # Without the condition, the update would recreate a deleted account.
        write.update(Account(account_id), actions=[Account.name.set(name)], condition=Account.listed.exists())
        record.add_to(write, account_id, kinds.ACCOUNT_RENAMED, {"name": name})
    return find.account_by_id(account_id)


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
        actions.append(Account.tier.set(tier.name))
    if status is not None:
        actions.append(Account.status.set(status))
    if status == SUSPENDED:
        # A higher epoch ends all console sessions permanently: a reinstatement doesn't restore them.
        actions.append(Account.session_epoch.add(1))
    details = {name: value for name, value in changed.items() if value}
    not_found = errors.NotFound("There is no such user.")
    pending = pending_terminations.new(pending_terminations.OF_OWNER, account_id) if status == SUSPENDED else None
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
    _mark(account_id)
    if pending is not None:
        pending_terminations.save_progress(pending, is_finished=owned_clients.finish(pending))
    if not are_ends_recorded:
        raise _not_yet_applied()


def check_is_other(account_id: str) -> None:
    """Raise Conflict when the account is that of the current actor."""
    if actors.current().account_id == account_id:
        raise errors.Conflict("You can't suspend your own account. Ask another administrator.")


def set_admin(account_id: str, admin: bool) -> None:
    """Set or clear the admin flag. While it is cleared, the scopes `admin` and `verify` of the account's keys have no
    effect.

    Raises NotFound if the account doesn't exist, and Unavailable if the invalidation mark couldn't be set.
    """
    with models.raise_on_condition_failure(errors.NotFound("There is no such user.")), models.transaction() as write:
        write.update(Account(account_id), actions=[Account.admin.set(admin)], condition=Account.listed.exists())
        record.add_to(write, account_id, kinds.STANDING_CHANGED, {"admin": "yes" if admin else "no"})
    _mark(account_id)


def _mark(account_id: str) -> None:
    if not stale_marks.mark(account_id):
        raise _not_yet_applied()


def _not_yet_applied() -> errors.Unavailable:
    return errors.Unavailable(
        "The account is changed, but this may take up to 5 more minutes to apply. Repeat the request to be sure."
    )
