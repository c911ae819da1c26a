"""Find the functions that the operator has added to Latchkey's: in app.py, and in AWS."""

from collections.abc import Iterable, Iterator
from typing import Any

from infra import configuration, schedules, subscription

SOURCES = ("stream_arn", "topic", "queue", "queue_arn", "stream", "bucket")
"""Chalice's attributes for the source of an event handler."""


def declared(app: Any) -> list[str]:
    """Return Chalice's names of the operator's functions in a Chalice app, except those for WebSockets."""
    handlers = (*app.pure_lambda_functions, *app.event_sources, *app.builtin_auth_handlers)
    return sorted({each.name for each in handlers} - set(configuration.OURS))


def sources(app: Any) -> dict[str, str]:
    """Return the source of each event handler of an app, an ARN or a name as it is declared, by handler name."""
    found: dict[str, str] = {}
    for handler in app.event_sources:
        for attribute in SOURCES:
            if getattr(handler, attribute, None):
                found[handler.name] = getattr(handler, attribute)
    return found


def existing(stage: str) -> Iterator[str]:
    """Yield Chalice's names of the operator's functions of a stage that exist in AWS.

    The stage is read from Chalice's tag, since `latchkey-dev-eu-report` could belong to the stage `dev` or `dev-eu`.
    """
    import boto3

    functions, prefix = boto3.client("lambda"), _prefix(stage)
    for page in functions.get_paginator("list_functions").paginate():
        for function in page["Functions"]:
            name = function["FunctionName"].removeprefix(prefix)
            is_candidate = function["FunctionName"].startswith(prefix) and name not in configuration.OURS
            if is_candidate and _is_tagged(functions, function["FunctionArn"], stage):
                yield name


def deleted(stage: str, known: Iterable[str]) -> list[str]:
    """Return Chalice's names of functions that were deleted manually, from the triggers that remain of them.

    `known` are the names of existing functions, and of Latchkey's.
    """
    arns = [each["FunctionArn"] for each in subscription.of_any_function()]
    functions = [arn.rpartition(":")[2] for arn in arns] + schedules.functions(_prefix(stage))
    names = {name.removeprefix(_prefix(stage)) for name in functions if name.startswith(_prefix(stage))}
    return sorted(names - set(known))


def _prefix(stage: str) -> str:
    return f"{configuration.APP}-{stage}-"


def _is_tagged(functions: Any, arn: str, stage: str) -> bool:
    tags: dict[str, str] = functions.list_tags(Resource=arn)["Tags"]
    return tags.get("aws-chalice", "").endswith(f":stage={stage}:app={configuration.APP}")
