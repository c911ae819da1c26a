"""What the data stack made and somebody deleted, and can be made again: nothing of it holds data.

CloudFormation believes it there. It makes a resource again that one update takes out of the template, and the next
puts back, with everything that refers to it.
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
"""What SNS and CloudWatch say of what isn't there."""
NEVER_REMADE = (template.TABLE, ROLE)
"""A table has data in it, and a role is known to KMS by its id."""


def without(now: Template, lost: Iterable[str]) -> Template:
    """Return a template without these resources, and without what refers to them."""
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


def told(now: Template, less: Template, lost: Mapping[str, str]) -> str:
    """Return what is made again, in words: what was lost by its name, and what only refers to it by its logical id."""
    referring = now["Resources"].keys() - less["Resources"].keys() - lost.keys()
    more = f", and what refers to it: {', '.join(sorted(referring))}" if referring else ""
    return ", ".join(lost.values()) + more


def _refers(given: Any, names: set[str]) -> bool:
    """Return whether any of the names is referred to, by `Ref`, `Fn::GetAtt` or within `Fn::Sub`."""
    text = json.dumps(given)
    found = re.findall(r'"Ref": "(\w+)"|"Fn::GetAtt": \["(\w+)"|\$\{(\w+)[.}]', text)
    return not names.isdisjoint(name for each in found for name in each)


def alarms(names: Collection[str]) -> list[dict[str, Any]]:
    """Return those of the alarms that are there, as CloudWatch describes them; without a name it would list all."""
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
"""By type how to find out which of its resources are there."""
