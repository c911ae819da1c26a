"""What is remembered of an account between two looks, so that most looks read one small item instead of 30 days.

A whole look costs some 90 read units. It is worth it once a day, and whenever the hour shows a network that the profile
doesn't know, more than twice the most that a credential ever did around that time of day, or many failures.
"""

from dataclasses import dataclass, field
from zlib import crc32

from chalicelib.core import clock, settings
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.detection import anomalies
from chalicelib.detection.usage_history import Hour

TABLE = "profiles"
KEPT_S = 40 * clock.DAY_S
CURSOR = "cursor"
"""No account has such an id."""
NETWORKS_MAX = 400
COUNTERS_MAX = 100
"""So many credentials, with 24 numbers each, and 400 networks are some 24 KB at most."""
HOURS = 24
MORE_THAN = 2
NEVER = (0,) * HOURS


@dataclass(frozen=True, slots=True)
class Profile:
    """What the last whole look has seen."""

    looked_on: int = 0
    """The day, as `day_of` counts them."""
    networks: frozenset[str] = frozenset()
    most: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """The most requests of each credential in one hour, for each of the 24 hours of the day."""


NOTHING = Profile()


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far the looks at all accounts have come."""

    after: str = ""
    """The id of the account with which the last look was cut short, "" when it came round."""
    since: int | None = None
    """The first hour (its first second) that isn't judged of every account as one that is over; None: not known."""


def of_account(account_id: str) -> Profile:
    """Return an account's profile."""
    request = {"TableName": settings.current().table(TABLE), "Key": {"account_id": {"S": account_id}}}
    item = dynamodb.call("GetItem", request).get("Item")
    # One that was kept before there were numbers by the hour says too little.
    if item is None or "most_by_hour" not in item:
        return NOTHING
    return Profile(
        int(item["looked_on"]["N"]),
        frozenset(item.get("networks", {"SS": []})["SS"]),
        {
            counter: tuple(int(count) for count in counts["S"].split())
            for counter, counts in item["most_by_hour"]["M"].items()
        },
    )


def cursor() -> Cursor:
    """Return how far the looks at all accounts have come."""
    request = {"TableName": settings.current().table(TABLE), "Key": {"account_id": {"S": CURSOR}}}
    item = dynamodb.call("GetItem", request).get("Item", {})
    return Cursor(item.get("after", {"S": ""})["S"], int(item["since"]["N"]) if "since" in item else None)


def keep_cursor(cursor: Cursor) -> None:
    """Remember how far a look has come."""
    item = {"account_id": {"S": CURSOR}, "after": {"S": cursor.after}, "since": {"N": str(cursor.since)}}
    dynamodb.call("PutItem", {"TableName": settings.current().table(TABLE), "Item": item})


def day_of(account_id: str, now_s: int) -> int:
    """Return the number of a day that begins at a time of day of the account's own: not all are due at midnight."""
    return (now_s + crc32(account_id.encode()) % clock.DAY_S) // clock.DAY_S


def needs_a_whole_look(profile: Profile, recent: dict[str, dict[int, Hour]], today: int) -> bool:
    """Tell whether what credentials did in the last hours, by counter, can't be judged by the profile alone."""
    if profile.looked_on != today:
        return True
    return any(
        hour.networks - profile.networks
        or hour.requests > max(anomalies.REQUESTS_MIN - 1, MORE_THAN * _most_around(profile, counter, at))
        or hour.denials >= anomalies.DENIALS_MIN
        or hour.refusals >= anomalies.REFUSALS_MIN
        for counter, hours in recent.items()
        for at, hour in hours.items()
    )


def keep(account_id: str, history: dict[str, dict[int, Hour]], now_s: int) -> None:
    """Remember what a whole look has seen. Of two looks at once either may win: both have seen all of it."""
    # What the past of every hour holds that is judged by this profile, until it is a day old.
    since = now_s - anomalies.PAST_S + clock.DAY_S
    past = {counter: {at: hour for at, hour in hours.items() if at >= since} for counter, hours in history.items()}
    networks = sorted({mark for hours in past.values() for hour in hours.values() for mark in hour.networks})
    most = {counter: _most_by_hour(hours, clock.hour_of(now_s)) for counter, hours in past.items()}
    # Those left out are looked up in the history when they are busy, as networks are that find no room.
    busiest = sorted(most, key=lambda counter: -max(most[counter]))[:COUNTERS_MAX]
    item: dynamodb.Json = {
        "account_id": {"S": account_id},
        "looked_on": {"N": str(day_of(account_id, now_s))},
        "most_by_hour": {"M": {counter: {"S": " ".join(map(str, most[counter]))} for counter in busiest}},
        "dies_at": {"N": str(now_s + KEPT_S)},
    }
    if networks:
        # More than fit are looked up in the history each hour: dearer, and never wrong.
        item["networks"] = {"SS": networks[:NETWORKS_MAX]}
    dynamodb.call("PutItem", {"TableName": settings.current().table(TABLE), "Item": item})


def _most_around(profile: Profile, counter: str, at: int) -> int:
    """Return the most that a credential did at that time of day, or an hour earlier or later."""
    most, hour_of_day = profile.most.get(counter, NEVER), at // clock.HOUR_S
    return max(most[(hour_of_day + beside) % HOURS] for beside in (-1, 0, 1))


def _most_by_hour(hours: dict[int, Hour], before: int) -> tuple[int, ...]:
    """Return the most in each hour of the day, of what was over `before`: a running hour is judged once more."""
    most = list(NEVER)
    for at, hour in hours.items():
        if at < before:
            hour_of_day = at // clock.HOUR_S % HOURS
            most[hour_of_day] = max(most[hour_of_day], hour.requests)
    return tuple(most)
