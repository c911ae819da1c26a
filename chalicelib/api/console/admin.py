"""Admin pages, for users with the admin flag: find an account, show it, and change its tier or status."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from chalicelib.accounts import change, find, members, states
from chalicelib.accounts.email_address import LENGTH_MAX
from chalicelib.accounts.tables import Account, User
from chalicelib.api.console import confirm, keys
from chalicelib.api.console.activity import Row, row, users_in
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
RANKED_MAX = 2_000
SHORT_LIST = 10
MEMBERS_SHOWN = 100
PAGE_SIZE = 25
"""Number of accounts or events on a page."""
THREADS = 16


def show_accounts(request: PageRequest) -> Render | Redirect:
    """List accounts: the newest ones, or those of users whose email starts with the search text.

    Without a search, the first page also lists the busiest accounts.
    """
    admin_of(request)
    wanted, after = request.query.get("find", "").strip()[:LENGTH_MAX], request.query.get("after", "")
    if wanted:
        exact = _exact_match(wanted)
        if exact is not None:
            return Redirect(f"/admin/accounts/{exact.id}")
        return _found(request, wanted, after)
    found = list(find.newest_accounts(PAGE_SIZE + 1, before=after if ids.is_id(after, "acc") else ""))
    first = not after
    ranked = _last_day() if first else []
    by_use = sorted((each for each in ranked if each[1].used), key=lambda each: -each[1].used)[:SHORT_LIST]
    by_rejections = sorted((each for each in ranked if each[1].refused), key=lambda each: -each[1].refused)[:SHORT_LIST]
    values = {
        "by_use": by_use,
        "by_rejections": by_rejections,
        "ranked_of": RANKED_MAX if len(ranked) == RANKED_MAX else 0,
    }
    next_page = found[PAGE_SIZE - 1].id if len(found) > PAGE_SIZE else None
    rows = [(account, None) for account in found[:PAGE_SIZE]]
    return Render("admin", {"rows": rows, "find": "", "next": next_page, "first": first, **values})


def _found(request: PageRequest, wanted: str, after: str) -> Render:
    found = list(find.users_by_email(wanted, PAGE_SIZE + 1, after=after))
    no_ranking = {"first": False, "by_use": [], "by_rejections": [], "ranked_of": 0}
    next_page = found[PAGE_SIZE - 1].email if len(found) > PAGE_SIZE else None
    rows = _accounts_of(found[:PAGE_SIZE])
    page = Render("admin", {"rows": rows, "find": wanted, "next": next_page, **no_ranking})
    if found:
        return page
    not_found = errors.NotFound(
        "No account has this ID, and no user an email that starts with this. Names can't be searched."
    )
    return request.reject_form(not_found.about("find"), page)


def show_account(request: PageRequest, account_id: str) -> Render:
    """Show an account: its tier, keys without secrets, usage and latest events."""
    admin = admin_of(request)
    account = find.account_by_id(account_id)
    hours = by_hour(account.id, since_s=clock.hour_of(clock.now_s()) - clock.DAY_S)
    its_keys = list(find_keys.keys_of(account.id))
    values = {
        "account": account,
        "is_own": account.id in (admin.account_ids or ()),
        "members": members.of_account(account, MEMBERS_SHOWN),
        "keys": its_keys,
        "used": sum(hours.values(), Hour()),
        "events": _rows(account, record.newest_first(account.id, SHORT_LIST), its_keys),
    }
    return Render("admin_account", values)


def show_events(request: PageRequest, account_id: str) -> Render:
    """Show the events of an account with their actor, IP address and reason."""
    admin_of(request)
    account, before = find.account_by_id(account_id), request.query.get("before", "")
    before = before if ids.is_id(before, "evt") else ""
    found = record.newest_first(account.id, PAGE_SIZE + 1, before=before)
    values = {
        "account": account,
        "events": _rows(account, found[:PAGE_SIZE], find_keys.keys_of(account.id)),
        "older": found[PAGE_SIZE - 1].id if len(found) > PAGE_SIZE else None,
        "before": before,
    }
    return Render("admin_events", values)


def set_tier(request: PageRequest, account_id: str) -> Redirect:
    """Set the tier of an account."""
    return _change(request, account_id, status=None)


def confirm_suspend(request: PageRequest, account_id: str) -> Render:
    """Ask for a reason before an account is suspended."""
    admin_of(request)
    account, path = find.account_by_id(account_id), f"/admin/accounts/{account_id}"
    change.check_is_other(account.id)
    return confirm.ask(
        confirm.Question(
            heading=f"Suspend {account.name}?",
            consequence="Its keys and tokens are rejected from the next request, and its members can't open its pages.",
            about=account.id,
            action=f"{path}/suspend",
            button="Suspend",
            back=path,
            back_label=account.name,
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
    """Ask for a reason before a key of an account is revoked."""
    admin_of(request)
    account = find.account_by_id(account_id)
    key = find_keys.owned_key(account.id, key_id)
    back = f"/admin/accounts/{account_id}"
    action = f"{back}/keys/{key_id}/revoke"
    return confirm.ask(keys.revocation(key, action, back=back, back_label=account.name, asks_reason=True))


def revoke_key(request: PageRequest, account_id: str, key_id: str) -> Redirect:
    """Revoke one key of an account."""
    with administrator_with_reason(request):
        revoke.revoke(find.account_by_id(account_id).id, key_id)
    return Redirect(f"/admin/accounts/{account_id}", "key-revoked")


def _change(request: PageRequest, account_id: str, *, status: str | None) -> Redirect:
    admin = admin_of(request)
    account = find.account_by_id(account_id)
    change.set_tier_and_status(
        account.id,
        tier=None if status else tiers.BY_NAME[request.check("tier", TIER)],
        status=status,
        actor=admin.id,
        reason=request.check("reason", REASON),
    )
    return Redirect(f"/admin/accounts/{account.id}", "standing")


@contextmanager
def administrator_with_reason(request: PageRequest) -> Iterator[tuple[User, str]]:
    """In a `with` block, record the administrator and the reason from the form in every event."""
    admin, reason = admin_of(request), str(request.check("reason", REASON))
    with actors.act_as_administrator(admin.id, reason):
        yield admin, reason


def admin_of(request: PageRequest) -> User:
    """Return the administrator who is logged in. Raises NotFound for any other user, to whom these pages must seem not
    to exist.
    """
    user = request.user.user
    if not user.admin:
        raise errors.NotFound("There is nothing at this address. Check it for typing mistakes.")
    return user


def _exact_match(wanted: str) -> Account | None:
    """Return the account with this id, or the only account of the user with this exact address; None otherwise."""
    try:
        if wanted.startswith("acc_"):
            return find.account_by_id(wanted)
        found = members.all_of(find.user_by_email(wanted))
    except (errors.NotFound, errors.InvalidRequest):
        return None
    return found[0].account if len(found) == 1 else None


def _accounts_of(users: list[User]) -> list[tuple[Account | None, User]]:
    """Return the accounts of each user, with the user. A user without an account has one entry, without an account."""
    ids = sorted({account_id for user in users for account_id in user.account_ids or ()})
    accounts = {each.id: each for each in Account.batch_get(ids)} if ids else {}
    rows: list[tuple[Account | None, User]] = []
    for user in users:
        own = [accounts[account_id] for account_id in sorted(user.account_ids or ()) if account_id in accounts]
        rows += [(account, user) for account in own if account.listed] or [(None, user)]
    return rows


def _rows(account: Account, events: list[Event], its_keys: Iterable[Credential]) -> list[Row]:
    named = {key.id: key.name for key in its_keys}
    users = {user_id: user.email for user_id, user in members.users_of(account, users_in(events)).items()}
    return [row(event, named, users, whole=True) for event in events]


def _last_day() -> list[tuple[Account, Hour]]:
    """Return the 2,000 oldest accounts, each with its usage in the last 24 hours. Each account requires one small
    Query; 16 run in parallel.
    """
    since_s = clock.hour_of(clock.now_s()) - clock.DAY_S
    accounts = list(find.accounts_after("", RANKED_MAX))

    def total(account: Account) -> Hour:
        return sum(under_tier(account.id, tiers.BY_NAME[account.tier], since_s=since_s).values(), Hour())

    with ThreadPoolExecutor(THREADS) as pool:
        return list(zip(accounts, pool.map(total, accounts), strict=True))
