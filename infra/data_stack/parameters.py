"""The parameters of the data stack that an operator chooses; they are kept when the stack has to be recreated.

They are also recorded in the table of the lock, which outlives the stack: an interrupted deployment may have deleted
the stack without recreating it.
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
"""The parameters that the operator chooses, and their names for `make deploy`."""
NONE = "none"
"""The given value that removes a chosen parameter: an empty one is not given, and keeps it."""
PARAMETERS = (*CHOSEN, "Stage", "Protection")
NOTED = {"digest": {"S": "chosen"}}


def given(chosen: Mapping[str, str], now: Template | None = None, **more: str) -> list[dict[str, Any]]:
    """Return parameters; one that isn't given keeps the value that it has `now`, or gets the template's default.

    CloudFormation rejects UsePreviousValue for a parameter that the stack doesn't have yet.
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
    """Return the parameters that the operator has chosen, from CloudFormation's description of a stack."""
    has = {each["ParameterKey"]: each["ParameterValue"] for each in (stack or {}).get("Parameters", [])}
    return {name: has[name] for name in CHOSEN if has.get(name)}


def kept(before: Mapping[str, str], chosen: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters for a recreated stack; one that isn't given keeps its former value."""
    together = {**before, **{name: value for name, value in chosen.items() if value}}
    return {name: value for name, value in together.items() if value != NONE}


def note(stage: str, chosen: Mapping[str, str], *, is_complete: bool = False) -> dict[str, str]:
    """Record parameters in addition to those that are recorded, or as the complete set; return what is recorded."""
    client = boto3.client("dynamodb")
    before = _noted(client, stage)
    known = dict(chosen) if is_complete else kept(before, chosen)
    if known != before:
        item = {**NOTED, **{name: {"S": value} for name, value in known.items()}}
        # Without tables nothing is lost: the deployment that creates them records the parameters.
        with suppress(client.exceptions.ResourceNotFoundException):
            client.put_item(TableName=lock.table_of(stage), Item=item)
    return known


def noted(stage: str) -> dict[str, str]:
    """Return the recorded parameters; empty if the stage has no tables."""
    return _noted(boto3.client("dynamodb"), stage)


def _noted(client: Any, stage: str) -> dict[str, str]:
    try:
        item = client.get_item(TableName=lock.table_of(stage), Key=NOTED, ConsistentRead=True).get("Item", {})
    except client.exceptions.ResourceNotFoundException:
        return {}
    return {name: item[name]["S"] for name in CHOSEN if name in item}


def as_arguments(chosen: Mapping[str, str]) -> str:
    """Return parameters as arguments of `make deploy`; "" for none."""
    return " ".join(f"{CHOSEN[name]}={value}" for name, value in chosen.items())
