"""What the data stack made and somebody deleted, and can be made again: alarms, topics, log groups hold no data.

CloudFormation believes it there. It makes a resource again that one update takes out of the template, and the next
puts back, with everything that refers to it.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import boto3
from botocore.exceptions import ClientError

from infra import template
from infra.data_stack import log_groups
from infra.data_stack.losses import ROLE
from infra.template import Template

NEVER_REMADE = (template.TABLE, ROLE)
"""A table has data in it, and a role is known to KMS by its id."""


def lost(resources: Iterable[dict[str, Any]]) -> dict[str, str]:
    """Return those of a stack's resources that aren't there: name by logical id."""
    made = [each for each in resources if each.get("PhysicalResourceId") and each["ResourceType"] in IS_THERE]
    return {
        each["LogicalResourceId"]: each["PhysicalResourceId"]
        for each in made
        if not IS_THERE[each["ResourceType"]](each["PhysicalResourceId"])
    }


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


def _is_alarm(name: str) -> bool:
    return bool(boto3.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"])


def _is_topic(arn: str) -> bool:
    try:
        boto3.client("sns").get_topic_attributes(TopicArn=arn)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("NotFound", "NotFoundException"):
            raise
        return False
    return True


IS_THERE: dict[str, Callable[[str], bool]] = {
    "AWS::CloudWatch::Alarm": _is_alarm,
    "AWS::SNS::Topic": _is_topic,
    log_groups.LOG_GROUP: lambda name: bool(log_groups.existing([name])),
}
"""By type how to look whether a resource is there."""
