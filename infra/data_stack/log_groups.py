"""Find a stage's log groups in CloudWatch Logs.

A log group can exist without a stack: Lambda recreates the deleted log group of a function when the function logs.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import boto3

from infra.template import Template

LOG_GROUP = "AWS::Logs::LogGroup"


def names(wanted: Template, stage: str) -> dict[str, str]:
    """Return the logical ids of the log groups in a template, by name."""
    found = ((logical, each) for logical, each in wanted["Resources"].items() if each["Type"] == LOG_GROUP)
    return {
        each["Properties"]["LogGroupName"]["Fn::Sub"].replace("${Stage}", stage): logical for logical, each in found
    }


def existing(known: Iterable[str]) -> list[str]:
    """Return those of the log groups that exist. AWS lists log groups by prefix, so one call can find several."""
    names = list(known)
    first = [name for name in names if not any(name != other and name.startswith(other) for other in names)]
    there = {each["logGroupName"] for prefix in first for each in _list(prefix)}
    return [name for name in names if name in there]


def current_properties(name: str) -> dict[str, Any]:
    """Return the current properties of a log group, in CloudFormation's format."""
    described = _describe(name) or {}
    kept = {"RetentionInDays": described["retentionInDays"]} if "retentionInDays" in described else {}
    return {"Properties": {"LogGroupName": {"Fn::Sub": name}, **kept}}


def _describe(name: str) -> dict[str, Any] | None:
    return next((each for each in _list(name) if each["logGroupName"] == name), None)


def _list(prefix: str) -> Iterator[dict[str, Any]]:
    pages = boto3.client("logs").get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix)
    return (each for page in pages for each in page["logGroups"])
