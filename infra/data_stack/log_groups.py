"""The log groups of a stage as CloudWatch Logs has them: a function that writes a last line makes its own anew."""

from collections.abc import Iterable, Iterator
from typing import Any

import boto3

from infra.template import Template

LOG_GROUP = "AWS::Logs::LogGroup"


def names(wanted: Template, stage: str) -> dict[str, str]:
    """Return the logical id of each log group that a template has, by the group's name."""
    found = ((logical, each) for logical, each in wanted["Resources"].items() if each["Type"] == LOG_GROUP)
    return {
        each["Properties"]["LogGroupName"]["Fn::Sub"].replace("${Stage}", stage): logical for logical, each in found
    }


def existing(known: Iterable[str]) -> list[str]:
    """Return the existing log groups. Listing a name as a prefix also returns the names that start with it."""
    names = list(known)
    first = [name for name in names if not any(name != other and name.startswith(other) for other in names)]
    there = {each["logGroupName"] for prefix in first for each in _listed(prefix)}
    return [name for name in names if name in there]


def as_it_is(name: str) -> dict[str, Any]:
    """Return the properties that a log group has."""
    described = _described(name) or {}
    kept = {"RetentionInDays": described["retentionInDays"]} if "retentionInDays" in described else {}
    return {"Properties": {"LogGroupName": {"Fn::Sub": name}, **kept}}


def _described(name: str) -> dict[str, Any] | None:
    return next((each for each in _listed(name) if each["logGroupName"] == name), None)


def _listed(prefix: str) -> Iterator[dict[str, Any]]:
    pages = boto3.client("logs").get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix)
    return (each for page in pages for each in page["logGroups"])
