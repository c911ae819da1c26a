"""The schedules of a stage's functions, which are rules of EventBridge's: found by their names, and switched on."""

from collections.abc import Iterable
from typing import Any

SCHEDULED = ("minute", "hour")
"""What Chalice calls the functions that have one."""
OFF = "DISABLED"


def rule_name(function: str) -> str:
    """Return what Chalice names the rule of a function, by the function's name in AWS."""
    return f"{function}-event"


def states(rules: Iterable[str]) -> dict[str, str]:
    """Return the states of those rules that are there, by name."""
    import boto3

    events, found = boto3.client("events"), {}
    for rule in rules:
        try:
            found[rule] = str(events.describe_rule(Name=rule)["State"])
        except events.exceptions.ResourceNotFoundException:
            continue
    return found


def switch_on(session: Any, rules: Iterable[str]) -> None:
    """Have a botocore session switch on the rules that it writes.

    Chalice names no state. Whether AWS keeps the one that a rule has then, its documentation leaves open.
    """
    known = frozenset(rules)

    def add(params: dict[str, Any], **_: Any) -> None:
        if params.get("Name") in known:
            params["State"] = "ENABLED"

    session.register("before-parameter-build.events.PutRule", add)
