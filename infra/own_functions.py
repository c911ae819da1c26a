"""Find the functions that the operator has added to Latchkey's: in app.py, and in AWS."""

from collections.abc import Mapping
from typing import Any

from infra import configuration, schedules, subscription

SOURCES = ("stream_arn", "topic", "queue", "queue_arn", "stream", "bucket")
"""Chalice's attributes for the source of an event handler."""


def names(app: Any) -> list[str]:
    """Return the names of all functions that a Chalice app declares, except those for its routes and WebSockets."""
    return [each.name for each in (*app.pure_lambda_functions, *app.event_sources, *app.builtin_auth_handlers)]


def declared(app: Any) -> list[str]:
    """Return Chalice's names of the operator's functions in a Chalice app, except those for WebSockets."""
    return sorted(set(names(app)) - set(configuration.OURS))


def sources(app: Any) -> dict[str, str]:
    """Return the source of each event handler of an app, an ARN or a name as it is declared, by handler name."""
    found: dict[str, str] = {}
    for handler in app.event_sources:
        for attribute in SOURCES:
            if getattr(handler, attribute, None):
                found[handler.name] = getattr(handler, attribute)
    return found


def existing(stage: str) -> list[str]:
    """Return Chalice's names of the operator's functions of a stage that exist in AWS.

    The stage is read from Chalice's tag, since `latchkey-dev-eu-report` could belong to the stage `dev` or `dev-eu`.
    """
    return _tagged(_listed(stage), stage)


def existing_and_deleted(stage: str) -> list[str]:
    """Return Chalice's names of the operator's functions of a stage, with those that were deleted manually.

    Triggers that remain show the names of deleted functions. A function that exists without Chalice's tag belongs to
    others, and so do its triggers.
    """
    listed = _listed(stage)
    arns = [each["FunctionArn"] for each in subscription.of_any_function()]
    functions = [arn.rpartition(":")[2] for arn in arns] + schedules.functions(_prefix(stage))
    triggered = {name.removeprefix(_prefix(stage)) for name in functions if name.startswith(_prefix(stage))}
    return [*_tagged(listed, stage), *sorted(triggered - listed.keys() - set(configuration.OURS))]


def _listed(stage: str) -> dict[str, str]:
    """Return the ARNs of all functions that are named like a stage's, except Latchkey's, by their names in Chalice."""
    import boto3

    prefix, pages = _prefix(stage), boto3.client("lambda").get_paginator("list_functions").paginate()
    arns = {each["FunctionName"]: each["FunctionArn"] for page in pages for each in page["Functions"]}
    named = {name.removeprefix(prefix): arn for name, arn in arns.items() if name.startswith(prefix)}
    return {name: arn for name, arn in named.items() if name not in configuration.OURS}


def _tagged(listed: Mapping[str, str], stage: str) -> list[str]:
    import boto3

    client = boto3.client("lambda")
    return [name for name, arn in listed.items() if _is_tagged(client, arn, stage)]


def _prefix(stage: str) -> str:
    return f"{configuration.APP}-{stage}-"


def _is_tagged(functions: Any, arn: str, stage: str) -> bool:
    tags: dict[str, str] = functions.list_tags(Resource=arn)["Tags"]
    return tags.get("aws-chalice", "").endswith(f":stage={stage}:app={configuration.APP}")
