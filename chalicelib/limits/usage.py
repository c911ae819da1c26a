"""What the counters tell afterwards: which hours a subject was busy in, and when each key was last used."""

from collections.abc import Iterator
from typing import Any

from chalicelib.core import clock, settings, wire
from chalicelib.limits.tiers import OF_ACCOUNTS
from chalicelib.limits.windows import KEPT_S, TABLE, partition


def last_used_hours(subject: str, counters: set[str]) -> dict[str, int]:
    """Return the hour (epoch seconds) in which each of `counters` was last counted; what was never used is absent.

    Reads newest first and stops as soon as every counter is found, at the latest after the 31 days that are kept.
    """
    found: dict[str, int] = {}
    for tier in OF_ACCOUNTS:
        missing = set(counters)
        for item in _newest_first(partition(subject, tier)):
            hour = int(item["hour"]["N"])
            for name in missing & item.keys():
                found[name] = max(hour, found.get(name, 0))
            missing -= item.keys()
            if not missing:
                break
    return found


def _newest_first(subject_and_tier: str) -> Iterator[dict[str, Any]]:
    request: dict[str, Any] = {
        "TableName": settings.current().table(TABLE),
        "KeyConditionExpression": "subject = :subject AND #hour >= :oldest",
        "ExpressionAttributeNames": {"#hour": "hour"},
        "ExpressionAttributeValues": {
            ":subject": {"S": subject_and_tier},
            ":oldest": {"N": str(clock.now_s() - KEPT_S)},
        },
        "ScanIndexForward": False,
    }
    while True:
        answer = wire.call("Query", request)
        yield from answer["Items"]
        if "LastEvaluatedKey" not in answer:
            return
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
