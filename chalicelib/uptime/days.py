"""Checks rolled up: one item a day counts the minutes that were checked, and those in which a component was not up.

A minute is counted once, whoever checks it. Minutes in which nothing could be written are remembered and written with
the next check; minutes in which nobody checked are in no count, and show as no data.
"""

from collections import deque
from typing import Any

from chalicelib.core import clock, settings
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import ConditionFailed, WireError
from chalicelib.uptime.states import DOWN, UP

TABLE = "status"
DAY = "day"
KEPT_S = 100 * clock.DAY_S
SHOWN = 90
UNWRITTEN_MAX = 120

States = dict[str, str]

_unwritten: deque[tuple[int, States]] = deque(maxlen=UNWRITTEN_MAX)
"""What this process has found and could not write down: minute and states, the oldest first."""


def write(minute: int, states: States) -> None:
    """Count what was found in a minute (since the epoch), and what couldn't be counted before.

    A failure is remembered, not raised: it is what the next check has to tell.
    """
    _unwritten.append((minute, states))
    while _unwritten:
        try:
            _count(*_unwritten[0])
        except WireError:
            _unwritten[-1] = (minute, {**states, "database": DOWN})
            return
        _unwritten.popleft()


def newest_first(now_s: int) -> list[dynamodb.Json]:
    """Return the items of the last 90 days that there are. Raises WireError when the database doesn't answer."""
    request = {
        "TableName": settings.current().table(TABLE),
        "KeyConditionExpression": "what = :day AND #at > :first",
        "ExpressionAttributeNames": {"#at": "at"},
        "ExpressionAttributeValues": {":day": {"S": DAY}, ":first": {"S": day_of(now_s - SHOWN * clock.DAY_S)}},
        "ScanIndexForward": False,
    }
    items: list[dynamodb.Json] = dynamodb.call("Query", request, dynamodb.AT_ONCE)["Items"]
    return items


def day_of(at_s: int) -> str:
    """Return the day of a moment in UTC: `2026-01-31`."""
    return clock.iso(at_s * 1000)[:10]


def forget() -> None:
    """Forget what wasn't written, as a new process would."""
    _unwritten.clear()


def _count(minute: int, states: States) -> None:
    at_s = minute * 60
    counted = [f"{name}_{state}" for name, state in states.items() if state != UP]
    names = {f"#c{number}": counter for number, counter in enumerate(counted)}
    names |= {f"#n{number}": f"now_{name}" for number, name in enumerate(states)}
    values: dict[str, Any] = {
        ":one": {"N": "1"},
        ":minute": {"N": str(minute)},
        ":dies_at": {"N": str(at_s + KEPT_S)},
    } | {f":n{number}": {"S": state} for number, state in enumerate(states.values())}
    added = ", ".join(["minutes :one", *(f"#c{number} :one" for number in range(len(counted)))])
    now = ", ".join(f"#n{number} = :n{number}" for number in range(len(states)))
    request = {
        "TableName": settings.current().table(TABLE),
        "Key": {"what": {"S": DAY}, "at": {"S": day_of(at_s)}},
        "UpdateExpression": f"SET last_minute = :minute, dies_at = :dies_at, {now} ADD {added}",
        # Wins against a second function, or a second try, that counts the same minute.
        "ConditionExpression": "attribute_not_exists(last_minute) OR last_minute < :minute",
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
    }
    try:
        dynamodb.call("UpdateItem", request)
    except ConditionFailed:
        return
