"""Find and enable the EventBridge rules that schedule a stage's functions."""

from collections.abc import Iterable
from typing import Any

SCHEDULED = ("minute", "hour")
"""Chalice's names of the scheduled functions."""
OFF = "DISABLED"


def rule_name(function: str) -> str:
    """Return the name that Chalice gives to a function's rule, from the function's name in AWS."""
    return f"{function}-event"


def states(rules: Iterable[str]) -> dict[str, str]:
    """Return the states of those rules that exist, by name."""
    import boto3

    events, found = boto3.client("events"), {}
    for rule in rules:
        try:
            found[rule] = str(events.describe_rule(Name=rule)["State"])
        except events.exceptions.ResourceNotFoundException:
            continue
    return found


def functions(prefix: str) -> list[str]:
    """Return the functions whose names begin with `prefix`, and whose rules exist, even if they don't."""
    import boto3

    pages = boto3.client("events").get_paginator("list_rules").paginate(NamePrefix=prefix)
    names = [rule["Name"] for page in pages for rule in page["Rules"]]
    return [name.removesuffix("-event") for name in names if name.endswith("-event")]


def switch_on(session: Any, rules: Iterable[str]) -> None:
    """Patch a botocore session so that its calls that create or update one of the rules also enable the rule.

    Chalice's calls don't set the state, and AWS doesn't document whether a disabled rule then stays disabled.
    """
    known = frozenset(rules)

    def add(params: dict[str, Any], **_: Any) -> None:
        if params.get("Name") in known:
            params["State"] = "ENABLED"

    session.register("before-parameter-build.events.PutRule", add)
