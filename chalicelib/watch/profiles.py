"""What is remembered of an account between two looks, so that most looks read one small item instead of 30 days.

A whole look costs some 90 read units. It is worth it once a day, and whenever the hour shows a network that the profile
doesn't know, more than twice the most that a credential ever did, or many failures.
"""

from dataclasses import dataclass, field

from chalicelib.core import clock, settings, wire
from chalicelib.watch import unusual
from chalicelib.watch.history import Hour

TABLE = "profiles"
KEPT_S = 40 * clock.DAY_S
CURSOR = "cursor"
"""No account has such an id."""
NETWORKS_MAX = 400
MORE_THAN = 2


@dataclass(frozen=True, slots=True)
class Profile:
    """What the last whole look has seen."""

    looked_on: int = 0
    """The day, counted from the epoch."""
    networks: frozenset[str] = frozenset()
    most: dict[str, int] = field(default_factory=dict)
    """The most requests of each credential in one hour."""


NOTHING = Profile()


def of_account(account_id: str) -> Profile:
    """Return an account's profile."""
    request = {"TableName": settings.current().table(TABLE), "Key": {"account_id": {"S": account_id}}}
    item = wire.call("GetItem", request).get("Item")
    if item is None:
        return NOTHING
    return Profile(
        int(item["looked_on"]["N"]),
        frozenset(item.get("networks", {"SS": []})["SS"]),
        {counter: int(count["N"]) for counter, count in item["most"]["M"].items()},
    )


def cursor() -> str:
    """Return the id of the account with which the last look was cut short, "" when it came to the end."""
    request = {"TableName": settings.current().table(TABLE), "Key": {"account_id": {"S": CURSOR}}}
    item = wire.call("GetItem", request).get("Item", {})
    return str(item.get("after", {"S": ""})["S"])


def keep_cursor(after: str) -> None:
    """Remember where a look was cut short."""
    item = {"account_id": {"S": CURSOR}, "after": {"S": after}}
    wire.call("PutItem", {"TableName": settings.current().table(TABLE), "Item": item})


def needs_a_whole_look(profile: Profile, recent: dict[str, dict[int, Hour]], now_s: int) -> bool:
    """Tell whether what credentials did in the last hours, by counter, can't be judged by the profile alone."""
    if profile.looked_on != now_s // clock.DAY_S:
        return True
    return any(
        hour.networks - profile.networks
        or hour.requests > max(unusual.REQUESTS_MIN - 1, MORE_THAN * profile.most.get(counter, 0))
        or hour.denials >= unusual.DENIALS_MIN
        or hour.refusals >= unusual.REFUSALS_MIN
        for counter, hours in recent.items()
        for hour in hours.values()
    )


def keep(account_id: str, history: dict[str, dict[int, Hour]], now_s: int) -> None:
    """Remember what a whole look has seen. Of two looks at once either may win: both have seen all of it."""
    networks = sorted({mark for hours in history.values() for hour in hours.values() for mark in hour.networks})
    most = {counter: max(hour.requests for hour in hours.values()) for counter, hours in history.items()}
    item: wire.Json = {
        "account_id": {"S": account_id},
        "looked_on": {"N": str(now_s // clock.DAY_S)},
        "most": {"M": {counter: {"N": str(count)} for counter, count in most.items()}},
        "dies_at": {"N": str(now_s + KEPT_S)},
    }
    if networks:
        # More than fit are looked up in the history each hour: dearer, and never wrong.
        item["networks"] = {"SS": networks[:NETWORKS_MAX]}
    wire.call("PutItem", {"TableName": settings.current().table(TABLE), "Item": item})
