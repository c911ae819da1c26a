"""List the changes that a deployment makes to the data stack, one line per resource, for `make deploy DRY_RUN=1`.

CloudFormation's change sets don't include resources outside the stack, manually deleted resources, or the deletion
of an incomplete stack.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from infra import template
from infra.data_stack import adoption, log_groups, remaking, tables
from infra.template import Template

STACK, TOPIC = "AWS::CloudFormation::Stack", "AWS::SNS::Topic"
ADD, AGAIN = "Add", "Make again"
LOSES = {log_groups.LOG_GROUP: "without what is in it", TOPIC: "without its other subscribers"}
"""A note on the data that is lost when a resource is recreated, by resource type."""


def of_creation(wanted: Template, stage: str, made: Iterable[dict[str, Any]]) -> list[str]:
    """Return the changes that create the stack. An incomplete stack is deleted first, except for its tables.

    `made` are the resources of the incomplete stack.
    """
    has = {each["LogicalResourceId"]: each for each in made}
    going = {each["PhysicalResourceId"] for each in has.values() if each["ResourceType"] != template.TABLE}
    found = [name for name in adoption.existing(wanted, stage) if name not in going]
    lines = [
        _again(each["Type"], logical)
        if logical in has and each["Type"] != template.TABLE
        else f"{ADD} {each['Type']} {logical}"
        for logical, each in wanted["Resources"].items()
    ]
    unknown = [each for logical, each in has.items() if logical not in wanted["Resources"]]
    kept = tables.existing([each["PhysicalResourceId"] for each in unknown if each["ResourceType"] == template.TABLE])
    return [
        *adoption.with_imports(lines, wanted, found, stage),
        *(
            f"Remove {each['ResourceType']} {each['LogicalResourceId']}"
            for each in unknown
            if each["ResourceType"] != template.TABLE
        ),
        *(
            f"Leave {template.TABLE} {each['LogicalResourceId']}, in no stack: {each['PhysicalResourceId']}"
            for each in unknown
            if each["PhysicalResourceId"] in kept
        ),
    ]


def of_update(changes: list[str], now: Template, wanted: Template, lost: Mapping[str, str]) -> list[str]:
    """Return the changes of an update: those in CloudFormation's change set, and the recreation of `lost` resources."""
    less = remaking.without(now, lost)["Resources"]
    again = {
        logical: each["Type"]
        for logical, each in now["Resources"].items()
        if logical not in less and logical in wanted["Resources"]
    }
    why = {logical: f"which somebody deleted: {name}" for logical, name in lost.items()}
    return [each for each in changes if each.split(" ")[2] not in again] + [
        f"{AGAIN} {kind} {logical}, {why.get(logical, 'which refers to what somebody deleted')}"
        for logical, kind in again.items()
    ]


def of_mail(changes: list[str], before: Mapping[str, str], then: Mapping[str, str]) -> list[str]:
    """Return a line about SNS's confirmation email if the alarm address or its topic is new; otherwise []."""
    address = then.get("AlarmEmail", "")
    is_made = any(each.startswith((f"{ADD} {TOPIC}", f"{AGAIN} {TOPIC}")) for each in changes)
    if not address or (address == before.get("AlarmEmail") and not is_made):
        return []
    return [f"{address} gets no alarm before it opens the link in the mail that AWS sends it then"]


def _again(kind: str, logical: str) -> str:
    return f"{AGAIN} {kind} {logical}" + (f", {LOSES[kind]}" if kind in LOSES else "")
