"""Manage the functions' subscriptions to the streams of the stage's tables, which are Lambda event source mappings.

A deleted mapping is listed as `Deleting` for some minutes. During this time, no new mapping for the same function and
stream can be created. A mapping to a former stream of the table delivers no events.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from infra.failed import DeployError

LOOKS_MAX, PAUSE_S = 120, 5
TABLES = {"stream": "events", "job": "jobs"}
"""The table whose stream each function reads, by the function's name in Chalice."""
OUTPUTS = {"stream": "EventsStream", "job": "JobsStream"}
"""The data stack's output with the ARN of that stream."""
OPTIONS: dict[str, dict[str, Any]] = {
    # Events are never updated, and their deletion by TTL has no consequences.
    "stream": {"FilterCriteria": {"Filters": [{"Pattern": '{"eventName":["INSERT"]}'}]}},
    "job": {
        "FilterCriteria": {"Filters": [{"Pattern": '{"eventName":["INSERT","MODIFY"]}'}]},
        # A table has a few shards, and a job occupies its part of a shard for ten seconds.
        "ParallelizationFactor": 10,
        # A job whose function is killed each time would otherwise delay others for a day. The function `minute`
        # restarts it.
        "MaximumRetryAttempts": 2,
    },
}
"""Properties of the subscription of each function that Chalice can't set."""
_DELETING = "Deleting"
OFF = ("Disabled", "Disabling")


def of_function(lambda_arn: str) -> list[dict[str, Any]]:
    """Return a function's subscriptions to any source, except those that are being deleted."""
    return [each for each in _listed(FunctionName=lambda_arn) if each["State"] != _DELETING]


def of_any_function() -> list[dict[str, Any]]:
    """Return the subscriptions of all functions of the region, except those that are being deleted."""
    return [each for each in _listed() if each["State"] != _DELETING]


def of_deleted_function(function: str) -> list[dict[str, Any]]:
    """Return the subscriptions to any source that remain after their function was deleted manually."""
    return [each for each in of_any_function() if _is_of(each["FunctionArn"], function)]


def to_tables(stage: str, subscriptions: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return those of the subscriptions whose source is one of the stage's tables in TABLES."""
    tables = [f":table/latchkey-{stage}-{table}/" for table in TABLES.values()]
    return [each for each in subscriptions if any(table in each.get("EventSourceArn", "") for table in tables)]


def to_stream(function: str, stream: str, subscriptions: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return those of the subscriptions that are a function's to a stream."""
    return [
        each for each in subscriptions if each.get("EventSourceArn") == stream and _is_of(each["FunctionArn"], function)
    ]


def await_deletion(
    functions: Iterable[str], *, say: Callable[[str], object], pause: Callable[[int], object] = time.sleep
) -> None:
    """Wait until all deletions of subscriptions of these functions are complete."""
    awaited = frozenset(functions)
    for look in range(LOOKS_MAX):
        names = {each["FunctionArn"].rpartition(":")[2] for each in _listed() if each["State"] == _DELETING} & awaited
        if not names:
            return
        listed = ", ".join(sorted(names))
        if look == 0:
            say(f"Waiting until Lambda has deleted the former subscription of {listed} (some minutes) …")
        pause(PAUSE_S)
    raise DeployError(
        f"Lambda is still deleting the subscription of {listed}, and takes no other until it is gone. Run this again in"
        " some minutes."
    )


def complete(session: Any, function: str, stream: str, options: dict[str, Any]) -> None:
    """Patch a botocore session so that its calls that create or update a stream subscription include these options.

    These calls then also enable a disabled subscription, which Chalice doesn't do.
    """
    known = {each["UUID"] for each in _listed(EventSourceArn=stream) if _is_of(each["FunctionArn"], function)}

    def add(params: dict[str, Any], **_: Any) -> None:
        is_made = params.get("EventSourceArn") == stream and _is_of(params["FunctionName"], function)
        if is_made or params.get("UUID") in known:
            params.update(options, Enabled=True)

    for operation in ("CreateEventSourceMapping", "UpdateEventSourceMapping"):
        session.register(f"before-parameter-build.lambda.{operation}", add)


def _is_of(lambda_arn: str, function: str) -> bool:
    return lambda_arn.rpartition(":")[2] == function


def _listed(**about: str) -> Iterator[dict[str, Any]]:
    import boto3

    pages = boto3.client("lambda").get_paginator("list_event_source_mappings").paginate(**about)
    return (each for page in pages for each in page["EventSourceMappings"])
