"""Count checks by day. The item of a day counts the minutes that were checked, and those in which a component was not
up.

Each minute is counted once, even if several functions check it. Results that could not be written are kept in memory
and written with the next check. Minutes without a check are not counted; the page shows a day without checks as having
no data.
"""

from collections import deque
from typing import Any

from chalicelib.core import clock, process_cache, settings
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import ConditionFailed, DynamoDBError
from chalicelib.uptime.states import DOWN, UP

TABLE = "status"
DAY = "day"
KEPT_S = 100 * clock.DAY_S
DAYS_SHOWN = 90
UNWRITTEN_MAX = 120

States = dict[str, str]

_unwritten: deque[tuple[int, States]] = deque(maxlen=UNWRITTEN_MAX)
process_cache.register("uptime.days", _unwritten)
"""Results of this process that could not be written, oldest first. Each consists of a minute and the states."""


def write(minute: int, states: States) -> None:
    """Count the states of a minute (in minutes since the epoch), and those of earlier minutes that could not be
    written.

    A database error is not raised. Instead, the states are kept with the database marked as down, and a later call
    counts them.
    """
    _unwritten.append((minute, states))
    while _unwritten:
        try:
            _count(*_unwritten[0])
        except DynamoDBError:
            _unwritten[-1] = (minute, {**states, "database": DOWN})
            return
        _unwritten.popleft()


def newest_first(now_s: int) -> list[dynamodb.Json]:
    """Return the items of the last 90 days, newest first. Raises DynamoDBError when DynamoDB fails."""
    request = {
        "TableName": settings.current().table(TABLE),
        "KeyConditionExpression": "what = :day AND #at > :first",
        "ExpressionAttributeNames": {"#at": "at"},
        "ExpressionAttributeValues": {":day": {"S": DAY}, ":first": {"S": day_of(now_s - DAYS_SHOWN * clock.DAY_S)}},
        "ScanIndexForward": False,
    }
    items: list[dynamodb.Json] = dynamodb.call("Query", request, dynamodb.FAIL_FAST)["Items"]
    return items


def day_of(at_s: int) -> str:
    """Return the UTC day of a time: `2026-01-31`."""
    return clock.iso(at_s * 1000)[:10]


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
        # Because of this condition, a second function or a retry can't count the same minute again.
        "ConditionExpression": "attribute_not_exists(last_minute) OR last_minute < :minute",
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
    }
    try:
        dynamodb.call("UpdateItem", request)
    except ConditionFailed:
        return
