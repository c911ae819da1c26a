"""Demo data of an account: keys in every state, and a month of counters of a service with office hours."""

import math
import random
from collections.abc import Iterator
from typing import Any

from chalicelib.accounts import roles
from chalicelib.accounts.tables import Account
from chalicelib.core import clock, process_cache, settings
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.credentials import revoke, rotate
from chalicelib.credentials.issue import Issued, new_key, store_key
from chalicelib.credentials.principal import Principal
from chalicelib.limits import counter_items, recorded_usage, tiers
from chalicelib.uptime import days, incidents, states
from tests.support.harness import Clock

DAY_S = 24 * clock.HOUR_S
HOURS = 30 * 24
BATCH = 25
"""The maximum number of items in a BatchWriteItem request."""


def add_history(account_id: str, moved: Clock) -> dict[str, str]:
    """Create an account's keys and 30 days of usage; return the ids of the keys by name."""
    now_ms = moved.now_ms
    created = {
        "Old dashboard": _made(account_id, moved, days_ago=64, name="Old dashboard", scopes=["read"]),
        "Trial": _made(account_id, moved, days_ago=31, name="Trial", scopes=["read"], lives_days=30),
        "Nightly export": _made(account_id, moved, days_ago=48, name="Nightly export", scopes=["read"]),
        "Storefront": _made(account_id, moved, days_ago=35, name="Storefront", scopes=["read", "write"]),
        "Key rotation job": _made(
            account_id, moved, days_ago=12, name="Key rotation job", scopes=["keys"], lives_days=90
        ),
        "Laptop": _made(account_id, moved, days_ago=1, name="Laptop", scopes=["read"], lives_days=7),
    }
    moved.now_ms = now_ms
    moved.forward(-3 * clock.HOUR_S)
    revoke.revoke(account_id, created["Old dashboard"].key.id)
    rotated = rotate.rotate(_owner(account_id), created["Storefront"].key.id, DAY_S)
    moved.now_ms = now_ms
    counters = {name: counter_items.counter_of(issued.key.id) for name, issued in created.items()}
    _write(list(_hours(account_id, counters, counter_items.counter_of(rotated.key.id))))
    return {name: issued.key.id for name, issued in created.items()} | {"Storefront, rotated": rotated.key.id}


def add_checks() -> None:
    """Create 60 days of checks for the status page, with some failures, and an open and a resolved incident."""
    for ago in reversed(range(60)):
        at_s = clock.now_s() - ago * DAY_S
        found = dict.fromkeys(states.COMPONENTS, "up")
        for minute in range(at_s // 60 - 8, at_s // 60 + 1):
            bad = {17: {"database": "down", "api": "degraded"}, 31: {"webhooks": "degraded"}}.get(ago, {})
            days.write(minute, found | bad)
    closed = incidents.open_incident("Database unreachable", "Reads fail. We are looking into it.", ["database", "api"])
    incidents.update(closed.at, "The region has recovered.", states.RESOLVED)
    incidents.open_incident("Webhooks arrive late", "Some deliveries wait for longer than usual.", ["webhooks"])
    process_cache.forget()


def _made(
    account_id: str, moved: Clock, *, days_ago: float, name: str, scopes: list[str], lives_days: int | None = None
) -> Issued:
    now_ms = moved.now_ms
    moved.forward(-days_ago * DAY_S)
    expires_at = None if lives_days is None else clock.now_ms() + lives_days * DAY_S * 1000
    issued = new_key(
        account_id, Account.get(account_id).created_by, name=name, wanted=scopes, expires_at=expires_at, made_by=None
    )
    store_key(issued)
    moved.now_ms = now_ms
    return issued


def _hours(account_id: str, counters: dict[str, str], successor: str) -> Iterator[dict[str, Any]]:
    """Generate one item per hour of a storefront with office hours and weekends, a nightly export and rare 429s."""
    dice = random.Random(20260507)  # noqa: S311 - fixed on purpose
    tier = tiers.BY_NAME[Account.get(account_id).tier]
    quota = tier.quota or 0
    this_hour = clock.hour_of(clock.now_s())
    for ago in range(HOURS):
        at = this_hour - ago * clock.HOUR_S
        hour, weekend = at // clock.HOUR_S % 24, (at // DAY_S + 3) % 7 >= 5
        daylight = max(0.06, math.sin((hour - 5) / 16 * math.pi)) if 5 < hour < 21 else 0.06
        wanted = round(quota * 0.82 * daylight * (0.35 if weekend else 1) * dice.uniform(0.8, 1.15))
        if ago in (26, 5, 174):
            wanted = round(quota * 1.22)
        if ago == 0:
            wanted = round(wanted * 0.37)
        by_name = {counters["Storefront"] if ago > 2 else successor: min(wanted, quota)}
        if ago in (1, 2):
            by_name[counters["Storefront"]] = round(wanted * 0.04)
        if hour == 2:
            by_name[counters["Nightly export"]] = dice.randint(1_100, 1_300)
        if hour == 6 and ago < 12 * 24:
            by_name[counters["Key rotation job"]] = 2
        yield {
            **counter_items.item_key(account_id, tier, at),
            "used": _number(sum(by_name.values())),
            "refused": _number(max(0, wanted - quota)),
            "dies_at": _number(counter_items.delete_at_s(tier, at)),
            **{name: _number(count) for name, count in by_name.items()},
            # In this demo every key uses only one route, whatever its scopes are.
            recorded_usage.route_name("GET /v1/users/me"): {"SS": sorted(by_name)},
        }


def _number(count: int) -> dict[str, str]:
    return {"N": str(count)}


def _write(items: list[dict[str, Any]]) -> None:
    table = settings.current().table(counter_items.TABLE)
    for start in range(0, len(items), BATCH):
        puts = [{"PutRequest": {"Item": item}} for item in items[start : start + BATCH]]
        dynamodb.call("BatchWriteItem", {"RequestItems": {table: puts}})


def _owner(account_id: str) -> Principal:
    account = Account.get(account_id)
    return Principal(
        account_id=account_id,
        user_id=account.created_by,
        role=roles.OWNER,
        credential_id="ses_demo",
        kind="session",
        scopes=frozenset(("read", "write", "keys")),
        tier=tiers.BY_NAME[account.tier],
        client_id="",
        ends_at_ms=0,
        verified_at_ms=clock.now_ms(),
    )
