"""Read usage from the counter items: the requests of each hour, and the last use of each key."""

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
    """The number of admitted and of rejected requests in an hour, and the number of requests for each key or client."""

    used: int = 0
    refused: int = 0
    by_counter: Counter[str] = field(default_factory=Counter)

    def __add__(self, other: "Hour") -> "Hour":
        """Return the sum of two hours."""
        return Hour(self.used + other.used, self.refused + other.refused, self.by_counter + other.by_counter)


def by_hour(subject: str, *, since_s: int) -> dict[int, Hour]:
    """Return the hours since `since_s` in which a subject sent requests, in any tier."""
    hours: dict[int, Hour] = {}
    for tier in OF_ACCOUNTS:
        for at, hour in under_tier(subject, tier, since_s=since_s).items():
            hours[at] = hours.get(at, Hour()) + hour
    return hours


def under_tier(subject: str, tier: Tier, *, since_s: int) -> dict[int, Hour]:
    """Return the hours since `since_s` in which a subject sent requests, in one tier. This takes one Query."""
    return {int(item["hour"]["N"]): _hour(item) for item in items_newest_first(subject, tier, since_s)}


def last_used_hours(subject: str, wanted: set[str]) -> dict[str, int]:
    """Return the hour (epoch seconds) in which each of the counters `wanted` was last used. Unused counters are
    omitted.

    The newest hours are read first, and reading stops when every counter is found. Counter items are stored for 31
    days.
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
    """The routes that a key or client used, by attribute name, and whether this list is complete."""

    routes: frozenset[str] = frozenset()
    complete: bool = True


def routes_used(subject: str, wanted: set[str], *, since_s: int) -> dict[str, Used]:
    """Return the routes that were used since `since_s` under each of the counters `wanted`.

    This takes one Query per tier.
    """
    found = dict.fromkeys(wanted, Used())
    for tier in OF_ACCOUNTS if wanted else ():
        for item in items_newest_first(subject, tier, since_s):
            routes, is_complete = recorded_usage.routes_of(item), recorded_usage.is_complete(item)
            for counter in wanted:
                here = frozenset(name for name, counters in routes.items() if counter in counters)
                # If the item contains a counter but no route for it, the counted requests lacked a scope, came from a
                # service that verifies a secret, or were made before routes were recorded. If the item lacks a counter,
                # it was unused in this hour, unless the item had no room for some counters.
                is_known = (counter not in item or (is_complete and bool(here))) and OTHER not in item
                before = found[counter]
                found[counter] = Used(before.routes | here, before.complete and is_known)
    return found


def items_newest_first(subject: str, tier: Tier, since_s: int) -> Iterator[dict[str, Any]]:
    """Yield the raw counter items of a subject in one tier since `since_s`, newest first, with one Query."""
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
