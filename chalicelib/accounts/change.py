"""Changing an account: name, tier, suspended or not. Each takes effect at the next request of every credential."""

from pynamodb.expressions.update import Action

from chalicelib.accounts import find, owned_clients, unfinished
from chalicelib.accounts.states import SUSPENDED
from chalicelib.accounts.tables import Account
from chalicelib.core import errors
from chalicelib.core.dynamodb import models
from chalicelib.events import actors, kinds, record
from chalicelib.limits import stale_marks
from chalicelib.limits.tiers import Tier


def rename(account_id: str, name: str) -> Account:
    """Give an account another name. No credential is touched, so nothing becomes stale."""
    with models.refused_as(errors.NotFound("There is no such user.")), models.transaction() as write:
        # An update would otherwise bring a deleted account back as a stump.
        write.update(Account(account_id), actions=[Account.name.set(name)], condition=Account.listed.exists())
        record.add_to(write, account_id, kinds.ACCOUNT_RENAMED, {"name": name})
    return find.account_by_id(account_id)


def set_standing(
    account_id: str, *, tier: Tier | None, status: str | None, actor: str, reason: str | None = None
) -> None:
    """Set the tier, the status (`active` or `suspended`), or both; what is None stays. `actor` did it, for `reason`.

    With its status its OAuth clients stop, or work again. Raises NotFound; Conflict for who would suspend themselves,
    which they couldn't undo; Unavailable when it is set but not every function could be told: then it is worth
    repeating.
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
        # Console sessions of an earlier epoch are over, also after a reinstatement.
        actions.append(Account.session_epoch.add(1))
    told = {name: value for name, value in changed.items() if value}
    gone = errors.NotFound("There is no such user.")
    ending = unfinished.new(unfinished.OF_OWNER, account_id) if status == SUSPENDED else None

    def add_to(write: models.Transaction) -> None:
        write.update(Account(account_id), actions=actions, condition=Account.listed.exists())
        record.add_to(write, account_id, kinds.STANDING_CHANGED, told, actor=actor, reason=reason)
        if ending is not None:
            write.save(ending)

    if status is None:
        with models.refused_as(gone), models.transaction() as write:
            add_to(write)
    else:
        owned_clients.with_status(account_id, status, add_to, refused=gone)
    _mark(account_id)
    if ending is not None:
        unfinished.settle(ending, is_finished=owned_clients.finish(ending))


def check_is_other(account_id: str) -> None:
    """Raise Conflict when an account is that of whoever acts."""
    if actors.current().account_id == account_id:
        raise errors.Conflict("You can't suspend your own account. Ask another administrator.")


def set_admin(account_id: str, admin: bool) -> None:
    """Set the admin flag. Without it the scopes `admin` and `verify` of its keys are void from the next request on.

    Raises NotFound; Unavailable as `set_standing` does.
    """
    with models.refused_as(errors.NotFound("There is no such user.")), models.transaction() as write:
        write.update(Account(account_id), actions=[Account.admin.set(admin)], condition=Account.listed.exists())
        record.add_to(write, account_id, kinds.STANDING_CHANGED, {"admin": "yes" if admin else "no"})
    _mark(account_id)


def _mark(account_id: str) -> None:
    if not stale_marks.mark(account_id):
        raise errors.Unavailable(
            "The account is changed, but this may take up to 5 more minutes to apply. Repeat the request to be sure."
        )
