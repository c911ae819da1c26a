"""Find the triggers of a stage's functions in the format of Chalice's state file."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from infra import schedules, subscription

Resource = dict[str, Any]


def of_latchkey(name: str, function: str, arn: str | None, stage: str, stream: str) -> Iterator[Resource]:
    """Yield the triggers of one of Latchkey's functions: its rule, and its subscription to a table's stream.

    `name` is the function's name in Chalice, `function` in AWS; `arn` is None if the function was deleted manually.
    """
    yield from _mappings(name, subscription.to_tables(stage, _subscriptions(function, arn)), {name: stream})
    yield from _rule(name, function)


def of_own(name: str, function: str, arn: str | None, sources: Mapping[str, str]) -> Iterator[Resource]:
    """Yield every trigger of one of the operator's own functions that Chalice can create.

    `sources` contains the source that app.py declares, by function. Chalice deletes a trigger with another source. If
    the function was deleted manually (`arn` is None), these are its rule and its subscriptions.
    """
    if arn is not None:
        yield from _notifications(name, arn, sources)
    yield from _mappings(name, _subscriptions(function, arn), sources)
    yield from _rule(name, function)


def _subscriptions(function: str, arn: str | None) -> list[dict[str, Any]]:
    return subscription.of_deleted_function(function) if arn is None else subscription.of_function(arn)


def _mappings(name: str, mappings: Iterable[dict[str, Any]], sources: Mapping[str, str]) -> Iterator[Resource]:
    for mapping in mappings:
        source = mapping["EventSourceArn"]
        service, last = source.split(":")[2], source.rpartition(":")[2]
        details = {
            "dynamodb": {"stream_arn": source},
            "sqs": {"queue_arn": source, "queue": last},
            "kinesis": {"kinesis_arn": source, "stream": last.removeprefix("stream/")},
        }.get(service)
        if details is None:
            continue  # not recorded, since Chalice must not delete a mapping that it can't have created
        is_current = sources.get(name) in (source, last, last.removeprefix("stream/"))
        yield {
            "name": _name_trigger(f"{name}-{service}-event-source", mapping["UUID"], is_current=is_current),
            "resource_type": f"{service}_event",
            **details,
            "event_uuid": mapping["UUID"],
            "lambda_arn": mapping["FunctionArn"],
        }


def _name_trigger(name: str, distinction: str, *, is_current: bool) -> str:
    """Return the name of a trigger in Chalice's state file.

    Chalice keeps one trigger of each name and ignores others of the same name. It deletes a name that app.py doesn't
    declare: so a trigger whose source isn't the declared one has a name of its own.
    """
    return name if is_current else f"{name}-{distinction}"


def _notifications(name: str, arn: str, sources: Mapping[str, str]) -> Iterator[Resource]:
    """Yield the buckets and topics that notify a function, from the statements in the function's policy."""
    import boto3

    functions = boto3.client("lambda")
    try:
        statements = json.loads(functions.get_policy(FunctionName=arn)["Policy"])["Statement"]
    except functions.exceptions.ResourceNotFoundException:
        return
    for statement in statements:
        source = statement.get("Condition", {}).get("ArnLike", {}).get("AWS:SourceArn", "")
        service = statement["Principal"].get("Service") if isinstance(statement["Principal"], dict) else None
        if service == "s3.amazonaws.com":
            bucket = source.rpartition(":")[2]
            if _is_notifying(bucket, arn):
                named = _name_trigger(f"{name}-s3event", bucket, is_current=sources.get(name) == bucket)
                yield {"name": named, "resource_type": "s3_event", "bucket": bucket, "lambda_arn": arn}
        elif service == "sns.amazonaws.com":
            yield from _topic_subscriptions(name, arn, source, sources)


def _is_notifying(bucket: str, arn: str) -> bool:
    """Return whether a bucket notifies a function. A bucket that doesn't exist, or belongs to others, doesn't."""
    import boto3
    from botocore.exceptions import ClientError

    try:
        configured = boto3.client("s3").get_bucket_notification_configuration(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchBucket", "AccessDenied"):
            return False
        raise
    return any(each["LambdaFunctionArn"] == arn for each in configured.get("LambdaFunctionConfigurations", ()))


def _topic_subscriptions(name: str, arn: str, topic: str, sources: Mapping[str, str]) -> Iterator[Resource]:
    import boto3

    topics = boto3.client("sns")
    pages = topics.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
    declared, last = sources.get(name), topic.rpartition(":")[2]
    try:
        found = [each for page in pages for each in page["Subscriptions"] if each["Endpoint"] == arn]
    except topics.exceptions.NotFoundException:
        return  # the subscriptions of a deleted topic are deleted too
    for each in found:
        yield {
            "name": _name_trigger(f"{name}-sns-subscription", last, is_current=declared in (topic, last)),
            "resource_type": "sns_event",
            # Chalice compares the recorded topic with the declared one, so record it as declared: as an ARN or a name.
            "topic": declared if declared in (topic, last) else last,
            "topic_arn": topic,
            "subscription_arn": each["SubscriptionArn"],
            "lambda_arn": arn,
        }


def _rule(name: str, function: str) -> Iterator[Resource]:
    rule = schedules.rule_name(function)
    if schedules.states([rule]):
        yield {"name": f"{name}-event", "resource_type": "cloudwatch_event", "rule_name": rule}
