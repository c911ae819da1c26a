"""Changing an account: name, tier, suspended or not. Each takes effect at the next request of every credential."""

from pynamodb.exceptions import UpdateError
from pynamodb.expressions.update import Action

from chalicelib.accounts.tables import Account
from chalicelib.core import errors, tables
from chalicelib.limits import stale
from chalicelib.limits.tiers import Tier

ACTIVE, SUSPENDED = "active", "suspended"


def rename(account_id: str, name: str) -> Account:
    """Give an account another name. No credential is touched, so nothing becomes stale."""
    return _update(account_id, [Account.name.set(name)])


def set_standing(account_id: str, *, tier: Tier | None, status: str | None) -> Account:
    """Set the tier, the status (`active` or `suspended`), or both; what is None stays.

    Raises NotFound; Unavailable when it is set but not every function could be told: then it is worth repeating.
    """
    actions: list[Action] = []
    if tier is not None:
        actions.append(Account.tier.set(tier.name))
    if status is not None:
        actions.append(Account.status.set(status))
    if status == SUSPENDED:
        # Console sessions of an earlier epoch are over, also after a reinstatement.
        actions.append(Account.session_epoch.add(1))
    account = _update(account_id, actions)
    if not stale.mark(account_id):
        raise errors.Unavailable(
            "The account is changed, but the change may take up to 5 more minutes to be felt. Send it again to be sure."
        )
    return account


def _update(account_id: str, actions: list[Action]) -> Account:
    account = Account(account_id)
    try:
        # An update would otherwise bring a deleted account back as a stump.
        account.update(actions=actions, condition=Account.listed.exists())
    except UpdateError as error:
        if not tables.refused(error):
            raise
        raise errors.NotFound("There is no such user.") from None
    return account
