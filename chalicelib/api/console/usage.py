"""Settings > Usage: this hour's usage and limits, and charts of 24 hours and 30 days, in total and by key."""

from chalicelib.api.console.outcomes import Render
from chalicelib.api.console.page_request import PageRequest
from chalicelib.core import clock
from chalicelib.credentials import find
from chalicelib.limits import tiers
from chalicelib.limits.counter_items import OTHER, counter_of
from chalicelib.limits.usage import Hour, by_hour, under_tier
from chalicelib.oauth import clients, grants
from chalicelib.pages import charts

DAYS = 30


def show_usage(request: PageRequest) -> Render:
    """Show the usage of the account."""
    account = request.account
    now_s = clock.now_s()
    this_hour = clock.hour_of(now_s)
    hours = by_hour(account.id, since_s=this_hour - DAYS * clock.DAY_S)
    tier = tiers.BY_NAME[account.tier]
    # After a change of tier the account has a full quota again, so include only usage under the current tier.
    now = under_tier(account.id, tier, since_s=this_hour).get(this_hour, Hour())
    last_day = [(at, hours.get(at, Hour())) for at in range(this_hour - 23 * clock.HOUR_S, this_hour + 1, clock.HOUR_S)]
    days = _by_day(hours, now_s)
    values = {
        "tier": tier,
        "now": now,
        "resets_ms": (this_hour + clock.HOUR_S) * 1000,
        "day": _plot([(f"{clock.iso(at * 1000)[11:16]} UTC", hour) for at, hour in last_day]),
        "month": _plot([(clock.iso(at * 1000)[:10], day) for at, day in days]),
        "by_key": _by_key(account.id, [hour for _, hour in days]),
    }
    return Render("usage", values)


def _by_day(hours: dict[int, Hour], now_s: int) -> list[tuple[int, Hour]]:
    today = now_s - now_s % clock.DAY_S
    days = {today - ago * clock.DAY_S: Hour() for ago in reversed(range(DAYS))}
    for at, hour in hours.items():
        day = at - at % clock.DAY_S
        if day in days:
            days[day] = days[day] + hour
    return list(days.items())


def _plot(columns: list[tuple[str, Hour]]) -> dict[str, object]:
    values = [(label, column.used, column.refused) for label, column in columns]
    titled = [
        (f"{label}: {used:,} admitted, {rejected:,} rejected", used, rejected) for label, used, rejected in values
    ]
    bars, top = charts.bars(titled)
    return {
        "bars": bars,
        "top": top,
        "rows": values,
        "used": sum(used for _, used, _ in values),
        "rejected": sum(rejected for _, _, rejected in values),
    }


def _by_key(account_id: str, days: list[Hour]) -> list[tuple[str, str, int]]:
    """Return name, preview and number of requests of each key and application that sent any, busiest first.

    One further row contains the requests of all other keys and applications, such as deleted ones.
    """
    total = sum(days, Hour())
    known = {counter_of(key.id): (key.name, key.hint) for key in find.keys_of(account_id)}
    if any(name.startswith("c") for name in total.by_counter):
        known |= _applications(account_id)
    rows = [(*label, total.by_counter[name]) for name, label in known.items() if name in total.by_counter]
    rest = sum(count for name, count in total.by_counter.items() if name not in known)
    if rest:
        rows.append(("Other keys and applications", OTHER, rest))
    return sorted(rows, key=lambda row: -row[2])


def _applications(account_id: str) -> dict[str, tuple[str, str]]:
    """Return the applications that the account registered or is connected to. The result maps the name of each
    application's counter to the application's name and id.
    """
    connected = {grant.client_id for grant in grants.of_account(account_id)}
    own = {client.client_id: client for client in clients.list_of_account(account_id)}
    found = own | {client_id: clients.find(client_id) for client_id in connected - own.keys()}
    return {
        counter_of(client_id): (client.name, client_id) for client_id, client in found.items() if client is not None
    }
