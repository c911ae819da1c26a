"""Read usage back from the counters: how busy each hour was, and when each key was last used."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from chalicelib.core import clock, settings
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.limits import recorded_usage
from chalicelib.limits.counter_items import OTHER, REJECTED, TABLE, counters, number, partition
from chalicelib.limits.tiers import OF_ACCOUNTS, Tier


@dataclass(frozen=True, slots=True)
class Hour:
    """The admitted and rejected requests of an hour, and the requests counted under each key or client."""

    used: int = 0
    refused: int = 0
    by_counter: Counter[str] = field(default_factory=Counter)

    def __add__(self, other: "Hour") -> "Hour":
        """Return the sum of both."""
        return Hour(self.used + other.used, self.refused + other.refused, self.by_counter + other.by_counter)


def by_hour(subject: str, *, since_s: int) -> dict[int, Hour]:
    """Return the hours since `since_s` with requests of a subject, in any tier."""
    hours: dict[int, Hour] = {}
    for tier in OF_ACCOUNTS:
        for at, hour in under_tier(subject, tier, since_s=since_s).items():
            hours[at] = hours.get(at, Hour()) + hour
    return hours


def under_tier(subject: str, tier: Tier, *, since_s: int) -> dict[int, Hour]:
    """Return the hours since `since_s` with requests of a subject in one tier, with one Query."""
    return {int(item["hour"]["N"]): _hour(item) for item in items_newest_first(subject, tier, since_s)}


def last_used_hours(subject: str, wanted: set[str]) -> dict[str, int]:
    """Return the hour (epoch seconds) in which each counter `wanted` was last used; unused counters are absent.

    It reads the newest hours first and stops once every counter is found, at the latest after the 31 days that are
    kept.
    """
    found: dict[str, int] = {}
    for tier in OF_ACCOUNTS if wanted else ():
        missing = set(wanted)
        for item in items_newest_first(subject, tier, clock.now_s() - tier.kept_s):
            hour = int(item["hour"]["N"])
            for name in missing & item.keys():
                found[name] = max(hour, found.get(name, hour))
            missing -= item.keys()
            if not missing:
                break
    return found


@dataclass(frozen=True, slots=True)
class Used:
    """The routes that a key or client used, by attribute name, and whether the list is complete."""

    routes: frozenset[str] = frozenset()
    complete: bool = True


def routes_used(subject: str, wanted: set[str], *, since_s: int) -> dict[str, Used]:
    """Return the routes that each counter `wanted` used since `since_s`, with one Query per tier."""
    found = dict.fromkeys(wanted, Used())
    for tier in OF_ACCOUNTS if wanted else ():
        for item in items_newest_first(subject, tier, since_s):
            routes, is_complete = recorded_usage.routes_of(item), recorded_usage.is_complete(item)
            for counter in wanted:
                here = frozenset(name for name, counters in routes.items() if counter in counters)
                # A counter without a named route was rejected, introspected by a service, or predates recorded routes.
                # A counter that the item lacks was unused in that hour, unless some counters had no room.
                is_known = (counter not in item or (is_complete and bool(here))) and OTHER not in item
                before = found[counter]
                found[counter] = Used(before.routes | here, before.complete and is_known)
    return found


def items_newest_first(subject: str, tier: Tier, since_s: int) -> Iterator[dict[str, Any]]:
    """Yield the raw items of a subject in one tier since `since_s`, with one Query."""
    request: dict[str, Any] = {
        "TableName": settings.current().table(TABLE),
        "KeyConditionExpression": "subject = :subject AND #hour >= :since",
        "ExpressionAttributeNames": {"#hour": "hour"},
        "ExpressionAttributeValues": {
            ":subject": {"S": partition(subject, tier)},
            ":since": {"N": str(since_s)},
        },
        "ScanIndexForward": False,
    }
    while True:
        response = dynamodb.call("Query", request)
        yield from response["Items"]
        if "LastEvaluatedKey" not in response:
            return
        request["ExclusiveStartKey"] = response["LastEvaluatedKey"]


def _hour(item: dict[str, Any]) -> Hour:
    named = {name: number(item, name) for name in (*counters(item), OTHER) if name in item}
    return Hour(number(item, "used"), number(item, REJECTED), Counter(named))
