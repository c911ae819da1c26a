"""Store a profile of each account between two hourly runs, so that most runs read one small item and not the counters
of 30 days.

A full check takes about 90 read units. It is made once a day, and also if recent hours contain a network that isn't in
the profile, many failures, or more than twice the maximum number of requests of a credential around this time of day.
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
"""The key of the item that stores the cursor. No account has this id."""
NETWORKS_MAX = 400
COUNTERS_MAX = 100
"""The maximum number of credentials in a profile. With 24 numbers each, and 400 networks, a profile takes at most 24
KB.
"""
HOURS = 24
SURGE_FACTOR = 2
NO_REQUESTS = (0,) * HOURS


@dataclass(frozen=True, slots=True)
class Profile:
    """The results of the last full check."""

    looked_on: int = 0
    """The day of the full check, as a number from `day_of`."""
    networks: frozenset[str] = frozenset()
    most: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """For each credential, the maximum number of requests in one hour, for each of the 24 hours of the day."""


EMPTY = Profile()


@dataclass(frozen=True, slots=True)
class Cursor:
    """The progress of the hourly runs through all accounts."""

    after: str = ""
    """The id of the last account that an interrupted run checked; "" if the last run was complete."""
    since: int | None = None
    """The first hour (epoch second) that the next run must check again, for every account; None if unknown."""


def read_profile(account_id: str) -> Profile:
    """Read an account's profile."""
    request = {"TableName": settings.current().table(TABLE), "Key": {"account_id": {"S": account_id}}}
    item = dynamodb.call("GetItem", request).get("Item")
    # Older profiles lack the maximum for each hour of the day. They are ignored, because they are too coarse.
    if item is None or "most_by_hour" not in item:
        return EMPTY
    return Profile(
        int(item["looked_on"]["N"]),
        frozenset(item.get("networks", {"SS": []})["SS"]),
        {
            counter: tuple(int(count) for count in counts["S"].split())
            for counter, counts in item["most_by_hour"]["M"].items()
        },
    )


def read_cursor() -> Cursor:
    """Read the progress of the hourly runs."""
    request = {"TableName": settings.current().table(TABLE), "Key": {"account_id": {"S": CURSOR}}}
    item = dynamodb.call("GetItem", request).get("Item", {})
    return Cursor(item.get("after", {"S": ""})["S"], int(item["since"]["N"]) if "since" in item else None)


def save_cursor(cursor: Cursor) -> None:
    """Store the progress of a run."""
    item = {"account_id": {"S": CURSOR}, "after": {"S": cursor.after}, "since": {"N": str(cursor.since)}}
    dynamodb.call("PutItem", {"TableName": settings.current().table(TABLE), "Item": item})


def day_of(account_id: str, now_s: int) -> int:
    """Return the number of the account's current day.

    Each account's day begins at a different time, so that full checks are spread over the day.
    """
    return (now_s + crc32(account_id.encode()) % clock.DAY_S) // clock.DAY_S


def needs_full_check(profile: Profile, recent: dict[str, dict[int, Hour]], today: int) -> bool:
    """Return whether a full check is needed, because it is due today or a recent hour is unusual for the profile.

    `recent` contains the recent hours of each counter.
    """
    if profile.looked_on != today:
        return True
    return any(
        hour.networks - profile.networks
        or hour.requests > max(anomalies.REQUESTS_MIN - 1, SURGE_FACTOR * _most_around(profile, counter, at))
        or hour.denials >= anomalies.DENIALS_MIN
        or hour.rejections >= anomalies.REJECTIONS_MIN
        for counter, hours in recent.items()
        for at, hour in hours.items()
    )


def save(account_id: str, history: dict[str, dict[int, Hour]], now_s: int) -> None:
    """Store the profile that results from a full check.

    If two checks run concurrently, it doesn't matter which one stores its profile last, because both read the same
    history.
    """
    # The profile is used for a day, so it omits the oldest day of the history.
    since = now_s - anomalies.PAST_S + clock.DAY_S
    past = {counter: {at: hour for at, hour in hours.items() if at >= since} for counter, hours in history.items()}
    networks = sorted({mark for hours in past.values() for hour in hours.values() for mark in hour.networks})
    most = {counter: _most_by_hour(hours, clock.hour_of(now_s)) for counter, hours in past.items()}
    # If the profile omits a credential, an hour with many requests of this credential causes a full check.
    busiest = sorted(most, key=lambda counter: -max(most[counter]))[:COUNTERS_MAX]
    item: dynamodb.Json = {
        "account_id": {"S": account_id},
        "looked_on": {"N": str(day_of(account_id, now_s))},
        "most_by_hour": {"M": {counter: {"S": " ".join(map(str, most[counter]))} for counter in busiest}},
        "dies_at": {"N": str(now_s + KEPT_S)},
    }
    if networks:
        # If there are more networks, those that the profile omits cause a full check each hour. This costs more, but
        # nothing is missed.
        item["networks"] = {"SS": networks[:NETWORKS_MAX]}
    dynamodb.call("PutItem", {"TableName": settings.current().table(TABLE), "Item": item})


def _most_around(profile: Profile, counter: str, at: int) -> int:
    """Return the maximum number of requests of a credential in one hour, at this time of day or one hour earlier or
    later.
    """
    most, hour_of_day = profile.most.get(counter, NO_REQUESTS), at // clock.HOUR_S
    return max(most[(hour_of_day + beside) % HOURS] for beside in (-1, 0, 1))


def _most_by_hour(hours: dict[int, Hour], before: int) -> tuple[int, ...]:
    """Return the maximum number of requests for each hour of the day, over all hours before `before`.

    The current hour is omitted, because it will be checked again.
    """
    most = list(NO_REQUESTS)
    for at, hour in hours.items():
        if at < before:
            hour_of_day = at // clock.HOUR_S % HOURS
            most[hour_of_day] = max(most[hour_of_day], hour.requests)
    return tuple(most)
