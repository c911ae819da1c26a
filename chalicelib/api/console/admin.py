"""Administration, for accounts with the admin flag: find an account, see how it stands, change that for a reason."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from chalicelib.accounts import change, find, states
from chalicelib.accounts.email_address import LENGTH_MAX
from chalicelib.accounts.tables import Account
from chalicelib.api.console import confirm, keys
from chalicelib.api.console.activity import Row, row
from chalicelib.api.console.outcomes import Redirect, Render
from chalicelib.api.console.page_request import PageRequest
from chalicelib.api.schema.fields import Enum, Text
from chalicelib.core import clock, errors, ids
from chalicelib.credentials import find as find_keys
from chalicelib.credentials import revoke
from chalicelib.credentials.tables import Credential
from chalicelib.events import actors, record
from chalicelib.events.tables import Event
from chalicelib.limits import tiers
from chalicelib.limits.usage import Hour, by_hour, under_tier

REASON = Text(max_length=200, min_length=3)
TIER = Enum(tuple(tier.name for tier in tiers.OF_ACCOUNTS))
BUSIEST_OF = 2_000
SHOWN = 10
LISTED = 25
"""So many accounts, or events, stand on a page."""
AT_ONCE = 16


def show_accounts(request: PageRequest) -> Render | Redirect:
    """List accounts, the newest first, or those whose email begins with what is looked for; and who was busiest."""
    admin_of(request)
    wanted, after = request.query.get("find", "").strip()[:LENGTH_MAX], request.query.get("after", "")
    if wanted:
        exact = _exactly(wanted)
        if exact is not None:
            return Redirect(f"/admin/accounts/{exact.id}")
        return _found(request, wanted, after)
    found = list(find.newest_accounts(LISTED + 1, before=after if ids.is_id(after, "acc") else ""))
    first = not after
    ranked = _last_day() if first else []
    by_use = sorted((each for each in ranked if each[1].used), key=lambda ranked: -ranked[1].used)[:SHOWN]
    by_refusals = sorted((each for each in ranked if each[1].refused), key=lambda ranked: -ranked[1].refused)[:SHOWN]
    matter = {
        "by_use": by_use,
        "by_refusals": by_refusals,
        "ranked_of": BUSIEST_OF if len(ranked) == BUSIEST_OF else 0,
    }
    return Render("admin", {**_listing(found, "", last=lambda account: account.id), "first": first, **matter})


def _found(request: PageRequest, wanted: str, after: str) -> Render:
    found = list(find.accounts_by_email(wanted, LISTED + 1, after=after))
    nobody = {"first": False, "by_use": [], "by_refusals": [], "ranked_of": 0}
    shown = Render("admin", {**_listing(found, wanted, last=lambda account: account.email), **nobody})
    if found:
        return shown
    nothing = errors.NotFound("No account has this id, or an email that begins so. Names can't be searched for.")
    return request.refused_by(nothing.about("find"), shown)


def show_account(request: PageRequest, account_id: str) -> Render:
    """Show an account: tier, keys without their secrets, usage, and what happened to it last."""
    admin = admin_of(request)
    account = find.account_by_id(account_id)
    hours = by_hour(account.id, since_s=clock.hour_of(clock.now_s()) - clock.DAY_S)
    its_keys = list(find_keys.keys_of(account.id))
    matter = {
        "account": account,
        "is_own": account.id == admin.id,
        "keys": its_keys,
        "used": sum(hours.values(), Hour()),
        "events": _rows(record.newest_first(account.id, SHOWN), its_keys),
    }
    return Render("admin_account", matter)


def show_events(request: PageRequest, account_id: str) -> Render:
    """Show what happened to an account, with who did it, from where and why."""
    admin_of(request)
    account, before = find.account_by_id(account_id), request.query.get("before", "")
    before = before if ids.is_id(before, "evt") else ""
    found = record.newest_first(account.id, LISTED + 1, before=before)
    matter = {
        "account": account,
        "events": _rows(found[:LISTED], find_keys.keys_of(account.id)),
        "older": found[LISTED - 1].id if len(found) > LISTED else None,
        "before": before,
    }
    return Render("admin_events", matter)


def set_tier(request: PageRequest, account_id: str) -> Redirect:
    """Set the tier."""
    return _change(request, account_id, status=None)


def confirm_suspend(request: PageRequest, account_id: str) -> Render:
    """Ask for the reason before an account is suspended."""
    admin_of(request)
    account, path = find.account_by_id(account_id), f"/admin/accounts/{account_id}"
    change.check_is_other(account.id)
    return confirm.ask(
        confirm.Question(
            heading=f"Suspend {account.email}?",
            consequence="Its keys and tokens are refused from the next request on, and its sessions end.",
            about=account.id,
            action=f"{path}/suspend",
            button="Suspend",
            back=path,
            back_label=account.email,
            asks_reason=True,
        )
    )


def suspend(request: PageRequest, account_id: str) -> Redirect:
    """Suspend the account."""
    return _change(request, account_id, status=states.SUSPENDED)


def reinstate(request: PageRequest, account_id: str) -> Redirect:
    """Reinstate the account."""
    return _change(request, account_id, status=states.ACTIVE)


def confirm_revoke(request: PageRequest, account_id: str, key_id: str) -> Render:
    """Ask for the reason before somebody's key is revoked."""
    admin_of(request)
    account = find.account_by_id(account_id)
    key = find_keys.owned_key(account.id, key_id)
    back = f"/admin/accounts/{account_id}"
    action = f"{back}/keys/{key_id}/revoke"
    return confirm.ask(keys.revocation(key, action, back=back, back_label=account.email, asks_reason=True))


def revoke_key(request: PageRequest, account_id: str, key_id: str) -> Redirect:
    """Revoke one key of an account."""
    with for_a_reason(request):
        revoke.revoke(find.account_by_id(account_id).id, key_id)
    return Redirect(f"/admin/accounts/{account_id}", "key-revoked")


def _change(request: PageRequest, account_id: str, *, status: str | None) -> Redirect:
    admin = admin_of(request)
    account = find.account_by_id(account_id)
    change.set_standing(
        account.id,
        tier=None if status else tiers.BY_NAME[request.check("tier", TIER)],
        status=status,
        actor=admin.id,
        reason=request.check("reason", REASON),
    )
    return Redirect(f"/admin/accounts/{account.id}", "standing")


@contextmanager
def for_a_reason(request: PageRequest) -> Iterator[tuple[Account, str]]:
    """Act as the administrator who looks, for the reason that the form gives: both are in every event recorded here."""
    admin, reason = admin_of(request), str(request.check("reason", REASON))
    with actors.administrator(admin.id, reason):
        yield admin, reason


def admin_of(request: PageRequest) -> Account:
    """Return the admin who looks; to everyone else these pages aren't there."""
    account = request.person.account
    if not account.admin:
        raise errors.NotFound("There is nothing at this address. Check it for typing mistakes.")
    return account


def _exactly(wanted: str) -> Account | None:
    """Return the account of an id or of a whole address, None when it is neither."""
    try:
        return find.account_by_id(wanted) if wanted.startswith("acc_") else find.account_by_email(wanted)
    except (errors.NotFound, errors.InvalidRequest):
        return None


def _listing(found: list[Account], wanted: str, *, last: Callable[[Account], str]) -> dict[str, object]:
    """Return a page of accounts, of which one more than fits was read, and where the next one starts."""
    return {
        "accounts": found[:LISTED],
        "find": wanted,
        "next": last(found[LISTED - 1]) if len(found) > LISTED else None,
    }


def _rows(events: list[Event], its_keys: Iterable[Credential]) -> list[Row]:
    named = {key.id: key.name for key in its_keys}
    return [row(event, named, whole=True) for event in events]


def _last_day() -> list[tuple[Account, Hour]]:
    """Return every account's last 24 hours, for the oldest 2,000 accounts: one small Query each, 16 at once."""
    since_s = clock.hour_of(clock.now_s()) - clock.DAY_S
    accounts = list(find.accounts_after("", BUSIEST_OF))

    def total(account: Account) -> Hour:
        return sum(under_tier(account.id, tiers.BY_NAME[account.tier], since_s=since_s).values(), Hour())

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(zip(accounts, pool.map(total, accounts), strict=True))
