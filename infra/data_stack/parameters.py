"""Keep the data stack's parameters that an operator has chosen, even if the stack has to be recreated.

An interrupted deployment may have deleted the stack without recreating it. So the parameters are also recorded in the
table that contains the lock (`lock.table_of`), which CloudFormation doesn't delete.
"""

from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any

import boto3

from infra import lock
from infra.template import Template

NOTHING: Mapping[str, str] = MappingProxyType({})
CHOSEN = {"AlarmEmail": "ALARM_EMAIL", "Boundary": "BOUNDARY", "LogDays": "LOG_DAYS"}
"""The parameters that the operator chooses, and the corresponding variables of `make deploy`."""
NONE = "none"
"""The value that removes a chosen parameter. An empty value leaves the parameter unchanged."""
PARAMETERS = (*CHOSEN, "Stage", "Protection")
NOTED = {"digest": {"S": "chosen"}}


def given(chosen: Mapping[str, str], now: Template | None = None, **more: str) -> list[dict[str, Any]]:
    """Return all parameters of a template. A parameter without a new value keeps its current value or gets the default.

    `now` is the current template. CloudFormation rejects UsePreviousValue for a parameter that isn't in this template.
    """
    values = {**dict.fromkeys(PARAMETERS, ""), **chosen, **more}
    known = (now or {}).get("Parameters", {})
    return [
        {"ParameterKey": name, "ParameterValue": "" if value == NONE else value}
        if value
        else {"ParameterKey": name, "UsePreviousValue": True}
        for name, value in values.items()
        if value or name in known
    ]


def chosen(stack: dict[str, Any] | None) -> dict[str, str]:
    """Return the operator's parameters from CloudFormation's description of a stack."""
    has = {each["ParameterKey"]: each["ParameterValue"] for each in (stack or {}).get("Parameters", [])}
    return {name: has[name] for name in CHOSEN if has.get(name)}


def kept(before: Mapping[str, str], chosen: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters for a recreated stack. A parameter without a new value keeps its former value."""
    together = {**before, **{name: value for name, value in chosen.items() if value}}
    return {name: value for name, value in together.items() if value != NONE}


def note(stage: str, chosen: Mapping[str, str], *, is_complete: bool = False) -> dict[str, str]:
    """Record parameters, and return all recorded ones. If `is_complete`, parameters that aren't given are removed."""
    client = boto3.client("dynamodb")
    before = _noted(client, stage)
    known = dict(chosen) if is_complete else kept(before, chosen)
    if known != before:
        item = {**NOTED, **{name: {"S": value} for name, value in known.items()}}
        # If the tables don't exist yet, the deployment that creates them will record the parameters.
        with suppress(client.exceptions.ResourceNotFoundException):
            client.put_item(TableName=lock.table_of(stage), Item=item)
    return known


def noted(stage: str) -> dict[str, str]:
    """Return the recorded parameters, none if the stage has no tables."""
    return _noted(boto3.client("dynamodb"), stage)


def _noted(client: Any, stage: str) -> dict[str, str]:
    try:
        item = client.get_item(TableName=lock.table_of(stage), Key=NOTED, ConsistentRead=True).get("Item", {})
    except client.exceptions.ResourceNotFoundException:
        return {}
    return {name: item[name]["S"] for name in CHOSEN if name in item}


def as_arguments(chosen: Mapping[str, str]) -> str:
    """Return parameters in the form of arguments of `make deploy`; "" for no parameters."""
    return " ".join(f"{CHOSEN[name]}={value}" for name, value in chosen.items())
