"""Store a profile for each account between two hourly runs, so that most runs read one small item instead of 30 days.

A full check costs about 90 read units. It is made once a day, and whenever the last hours have a network that is not in
the profile, more than twice the maximum of a credential around that time of day, or many failures.
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
"""The key of the cursor item; no account has this id."""
NETWORKS_MAX = 400
COUNTERS_MAX = 100
"""The maximum number of credentials in a profile. With 24 numbers each, and 400 networks, they take at most 24 KB."""
HOURS = 24
SURGE_FACTOR = 2
NO_REQUESTS = (0,) * HOURS


@dataclass(frozen=True, slots=True)
class Profile:
    """The results of the last full check."""

    looked_on: int = 0
    """The day of the full check, as `day_of` counts days."""
    networks: frozenset[str] = frozenset()
    most: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """The maximum requests of each credential in one hour, for each of the 24 hours of the day."""


EMPTY = Profile()


@dataclass(frozen=True, slots=True)
class Cursor:
    """The progress of the hourly runs over all accounts."""

    after: str = ""
    """The account at which the last run was interrupted; "" when it was complete."""
    since: int | None = None
    """The first hour (epoch second) that was not checked for every account after its end; None if unknown."""


def read_profile(account_id: str) -> Profile:
    """Read an account's profile."""
    request = {"TableName": settings.current().table(TABLE), "Key": {"account_id": {"S": account_id}}}
    item = dynamodb.call("GetItem", request).get("Item")
    # Profiles from before hourly maxima were stored are too coarse, so they are ignored.
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
    """Return the number of a day that begins at a time specific to the account, so that full checks are spread out."""
    return (now_s + crc32(account_id.encode()) % clock.DAY_S) // clock.DAY_S


def needs_full_check(profile: Profile, recent: dict[str, dict[int, Hour]], today: int) -> bool:
    """Return whether the recent hours, by counter, require a full check because they are unusual for the profile."""
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
    """Store the profile from a full check. Of two concurrent checks either may be stored last: both read the same
    history.
    """
    # The profile is used for a day, so omit the day of history that will then be too old.
    since = now_s - anomalies.PAST_S + clock.DAY_S
    past = {counter: {at: hour for at, hour in hours.items() if at >= since} for counter, hours in history.items()}
    networks = sorted({mark for hours in past.values() for hour in hours.values() for mark in hour.networks})
    most = {counter: _most_by_hour(hours, clock.hour_of(now_s)) for counter, hours in past.items()}
    # Credentials that the profile omits get a full check when they are busy.
    busiest = sorted(most, key=lambda counter: -max(most[counter]))[:COUNTERS_MAX]
    item: dynamodb.Json = {
        "account_id": {"S": account_id},
        "looked_on": {"N": str(day_of(account_id, now_s))},
        "most_by_hour": {"M": {counter: {"S": " ".join(map(str, most[counter]))} for counter in busiest}},
        "dies_at": {"N": str(now_s + KEPT_S)},
    }
    if networks:
        # Networks beyond the maximum cause a full check each hour, which costs more but is never wrong.
        item["networks"] = {"SS": networks[:NETWORKS_MAX]}
    dynamodb.call("PutItem", {"TableName": settings.current().table(TABLE), "Item": item})


def _most_around(profile: Profile, counter: str, at: int) -> int:
    """Return the maximum requests of a credential in the hours around that time of day: the same one, one before,
    one after.
    """
    most, hour_of_day = profile.most.get(counter, NO_REQUESTS), at // clock.HOUR_S
    return max(most[(hour_of_day + beside) % HOURS] for beside in (-1, 0, 1))


def _most_by_hour(hours: dict[int, Hour], before: int) -> tuple[int, ...]:
    """Return the maximum for each hour of the day over hours before `before`. The current hour will be checked
    again.
    """
    most = list(NO_REQUESTS)
    for at, hour in hours.items():
        if at < before:
            hour_of_day = at // clock.HOUR_S % HOURS
            most[hour_of_day] = max(most[hour_of_day], hour.requests)
    return tuple(most)
