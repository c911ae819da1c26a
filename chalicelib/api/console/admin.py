"""Administration, for accounts with the admin flag: find an account, see how it stands, change that for a reason."""

from concurrent.futures import ThreadPoolExecutor

from chalicelib.accounts import change, find, states
from chalicelib.accounts.tables import Account
from chalicelib.api.console.frame import Gone, Shown, Visit
from chalicelib.api.fields import OneOf, Text
from chalicelib.core import clock, errors
from chalicelib.credentials import find as find_keys
from chalicelib.events import kinds, record
from chalicelib.limits import tiers
from chalicelib.limits.usage import Hour, by_hour, under_tier

REASON = Text(most=200, least=3)
TIER = OneOf(tuple(tier.name for tier in tiers.OF_ACCOUNTS))
BUSIEST_OF = 2_000
SHOWN = 10
AT_ONCE = 16


def show_accounts(visit: Visit) -> Shown | Gone:
    """Show the busiest and the most refused accounts of the last 24 hours, and a field to find one by."""
    _admin(visit)
    wanted = visit.query.get("find", "").strip()
    problem = None
    if wanted:
        try:
            account = find.account_by_id(wanted) if wanted.startswith("acc_") else find.account_by_email(wanted)
        except (errors.NotFound, errors.InvalidRequest) as error:
            problem = error.message
        else:
            return Gone(f"/admin/accounts/{account.id}")
    ranked = _last_day()
    by_use = sorted((row for row in ranked if row[1].used), key=lambda row: -row[1].used)[:SHOWN]
    by_refusals = sorted((row for row in ranked if row[1].refused), key=lambda row: -row[1].refused)[:SHOWN]
    matter = {"by_use": by_use, "by_refusals": by_refusals, "find": wanted, "problem": problem, "of": BUSIEST_OF}
    return Shown("admin", matter, 404 if problem else 200)


def show_account(visit: Visit, account_id: str) -> Shown:
    """Show an account: tier, keys without their secrets, usage, and what was done to it."""
    return _account_page(visit, account_id, problem=None, status=200)


def set_tier(visit: Visit, account_id: str) -> Shown | Gone:
    """Set the tier."""
    return _change(visit, account_id, status=None)


def suspend(visit: Visit, account_id: str) -> Shown | Gone:
    """Suspend the account."""
    return _change(visit, account_id, status=states.SUSPENDED)


def reinstate(visit: Visit, account_id: str) -> Shown | Gone:
    """Reinstate the account."""
    return _change(visit, account_id, status=states.ACTIVE)


def _change(visit: Visit, account_id: str, *, status: str | None) -> Shown | Gone:
    admin = _admin(visit)
    account = find.account_by_id(account_id)
    try:
        change.set_standing(
            account.id,
            tier=None if status else tiers.BY_NAME[TIER.check("The tier", visit.text("tier"))],
            status=status,
            actor=admin.id,
            reason=REASON.check("The reason", visit.text("reason")),
        )
    except errors.InvalidRequest as error:
        return _account_page(visit, account_id, problem=error.message, status=error.status)
    return Gone(f"/admin/accounts/{account.id}", "standing")


def _account_page(visit: Visit, account_id: str, *, problem: str | None, status: int) -> Shown:
    _admin(visit)
    account = find.account_by_id(account_id)
    hours = by_hour(account.id, since_s=clock.hour_of(clock.now_s()) - clock.DAY_S)
    matter = {
        "account": account,
        "keys": list(find_keys.keys_of(account.id)),
        "used": sum(hours.values(), Hour()),
        "events": record.newest_first(account.id, 20, kind=kinds.STANDING_CHANGED),
        "problem": problem,
    }
    return Shown("admin_account", matter, status)


def _admin(visit: Visit) -> Account:
    """Return the admin who looks; to everyone else these pages aren't there."""
    account = visit.person.account
    if not account.admin:
        raise errors.NotFound("There is no such page.")
    return account


def _last_day() -> list[tuple[Account, Hour]]:
    """Return every account's last 24 hours, for the oldest 2,000 accounts: one small Query each, 16 at once."""
    since_s = clock.hour_of(clock.now_s()) - clock.DAY_S
    accounts = list(find.accounts_after("", BUSIEST_OF))

    def total(account: Account) -> Hour:
        return sum(under_tier(account.id, tiers.BY_NAME[account.tier], since_s=since_s).values(), Hour())

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(zip(accounts, pool.map(total, accounts), strict=True))
