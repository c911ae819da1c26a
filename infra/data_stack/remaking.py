"""Recreate alarms, dashboards, topics and log groups of the data stack that were manually deleted.

CloudFormation doesn't notice that they are missing. It recreates a resource if one update removes it from the
template, with all references to it, and the next update adds it again.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import boto3
from botocore.exceptions import ClientError

from infra import template
from infra.data_stack import log_groups
from infra.data_stack.losses import ROLE
from infra.template import Template

ALARM, DASHBOARD, TOPIC = "AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard", "AWS::SNS::Topic"
NOT_FOUND = ("NotFound", "NotFoundException", "ResourceNotFound", "ResourceNotFoundException")
"""The error codes with which AWS services report a missing resource."""
NEVER_REMADE = (template.TABLE, ROLE)
"""The types that aren't recreated. A new table would be empty, and Lambda couldn't decrypt settings with a new role."""


def without(now: Template, lost: Iterable[str]) -> Template:
    """Return a template without the given resources, and without all resources that refer to them."""
    gone = set(lost)
    while more := {
        logical
        for logical, each in now["Resources"].items()
        if logical not in gone and each["Type"] not in NEVER_REMADE and _refers(each, gone)
    }:
        gone |= more
    resources = {logical: each for logical, each in now["Resources"].items() if logical not in gone}
    outputs = {name: each for name, each in now.get("Outputs", {}).items() if not _refers(each, gone)}
    return {**now, "Resources": resources, "Outputs": outputs}


def describe(now: Template, less: Template, lost: Mapping[str, str]) -> str:
    """List the resources to recreate: the lost ones by name, and the resources that refer to them by logical id."""
    referring = now["Resources"].keys() - less["Resources"].keys() - lost.keys()
    more = f", and what refers to it: {', '.join(sorted(referring))}" if referring else ""
    return ", ".join(lost.values()) + more


def _refers(given: Any, names: set[str]) -> bool:
    """Return whether a part of a template refers to any of the names with `Ref`, `Fn::GetAtt` or `Fn::Sub`."""
    text = json.dumps(given)
    found = re.findall(r'"Ref": "(\w+)"|"Fn::GetAtt": \["(\w+)"|\$\{(\w+)[.}]', text)
    return not names.isdisjoint(name for each in found for name in each)


def alarms(names: Collection[str]) -> list[dict[str, Any]]:
    """Return CloudWatch's descriptions of those alarms that exist."""
    if not names:
        return []
    pages = boto3.client("cloudwatch").get_paginator("describe_alarms").paginate(AlarmNames=list(names))
    return [each for page in pages for each in page["MetricAlarms"]]


def _topics(arns: Collection[str]) -> set[str]:
    topics = boto3.client("sns")
    return {arn for arn in arns if _is_found(topics.get_topic_attributes, TopicArn=arn)}


def _dashboards(names: Collection[str]) -> set[str]:
    dashboards = boto3.client("cloudwatch")
    return {name for name in names if _is_found(dashboards.get_dashboard, DashboardName=name)}


def _is_found(ask: Callable[..., object], **about: str) -> bool:
    try:
        ask(**about)
    except ClientError as error:
        if error.response["Error"]["Code"] not in NOT_FOUND:
            raise
        return False
    return True


THERE: dict[str, Callable[[Collection[str]], Collection[str]]] = {
    ALARM: lambda names: {each["AlarmName"] for each in alarms(names)},
    DASHBOARD: _dashboards,
    TOPIC: _topics,
    log_groups.LOG_GROUP: log_groups.existing,
}
"""For each resource type, a function that returns which of the given resources exist."""
