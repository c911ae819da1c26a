"""Find the functions that the operator has added to Latchkey's: in app.py, and in AWS."""

from collections.abc import Iterator
from typing import Any

from infra import configuration


def declared(app: Any) -> list[str]:
    """Return Chalice's names of the operator's functions in a Chalice app, except those for WebSockets."""
    handlers = (*app.pure_lambda_functions, *app.event_sources, *app.builtin_auth_handlers)
    return sorted({each.name for each in handlers} - set(configuration.OURS))


def sources(app: Any) -> dict[str, str]:
    """Return the DynamoDB stream (ARN) or SNS topic (ARN or name) of each event handler of an app, by handler name."""
    named = {each.name: getattr(each, "stream_arn", None) or getattr(each, "topic", None) for each in app.event_sources}
    return {name: source for name, source in named.items() if source}


def existing(stage: str) -> Iterator[str]:
    """Yield Chalice's names of the operator's functions of a stage that exist in AWS.

    The stage is read from Chalice's tag, since `latchkey-dev-eu-report` could belong to the stage `dev` or `dev-eu`.
    """
    import boto3

    functions, prefix = boto3.client("lambda"), f"{configuration.APP}-{stage}-"
    for page in functions.get_paginator("list_functions").paginate():
        for function in page["Functions"]:
            name = function["FunctionName"].removeprefix(prefix)
            is_candidate = function["FunctionName"].startswith(prefix) and name not in configuration.OURS
            if is_candidate and _is_tagged(functions, function["FunctionArn"], stage):
                yield name


def _is_tagged(functions: Any, arn: str, stage: str) -> bool:
    tags: dict[str, str] = functions.list_tags(Resource=arn)["Tags"]
    return tags.get("aws-chalice", "").endswith(f":stage={stage}:app={configuration.APP}")
