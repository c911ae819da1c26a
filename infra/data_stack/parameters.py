"""The parameters of the data stack: what the owner chooses once stays, also where the stack has to be made anew.

They are noted in a table as well, beside the lock: it is kept when the stack is deleted, by a deployment that is killed
before it has made the stack anew, or by hand.
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
"""What is the owner's to choose, and what `make deploy` calls it."""
PARAMETERS = (*CHOSEN, "Stage", "Protection")
NOTED = {"digest": {"S": "chosen"}}


def given(chosen: Mapping[str, str], now: Template | None = None, **more: str) -> list[dict[str, Any]]:
    """Return parameters. What isn't given stays as it is where the stack has it `now`, and is the default where not.

    CloudFormation refuses to keep a value that there isn't, as of a stack from before the parameter.
    """
    values = {**dict.fromkeys(PARAMETERS, ""), **chosen, **more}
    known = (now or {}).get("Parameters", {})
    return [
        {"ParameterKey": name, "ParameterValue": value} if value else {"ParameterKey": name, "UsePreviousValue": True}
        for name, value in values.items()
        if value or name in known
    ]


def chosen(stack: dict[str, Any] | None) -> dict[str, str]:
    """Return what the owner has chosen of a stack, as CloudFormation describes it."""
    has = {each["ParameterKey"]: each["ParameterValue"] for each in (stack or {}).get("Parameters", [])}
    return {name: has[name] for name in CHOSEN if has.get(name)}


def kept(before: Mapping[str, str], chosen: Mapping[str, str]) -> dict[str, str]:
    """Return what is chosen for a stack that is made anew: what isn't given is as it was before."""
    return {**before, **{name: value for name, value in chosen.items() if value}}


def note(stage: str, chosen: Mapping[str, str]) -> dict[str, str]:
    """Note what is chosen besides what is noted; return all of it."""
    client = boto3.client("dynamodb")
    before = _noted(client, stage)
    known = kept(before, chosen)
    if known != before:
        item = {**NOTED, **{name: {"S": value} for name, value in known.items()}}
        # Before there are tables, nothing is lost: the deployment that makes them notes it.
        with suppress(client.exceptions.ResourceNotFoundException):
            client.put_item(TableName=lock.table_of(stage), Item=item)
    return known


def noted(stage: str) -> dict[str, str]:
    """Return what is noted; nothing where the stage has no tables."""
    return _noted(boto3.client("dynamodb"), stage)


def _noted(client: Any, stage: str) -> dict[str, str]:
    try:
        item = client.get_item(TableName=lock.table_of(stage), Key=NOTED, ConsistentRead=True).get("Item", {})
    except client.exceptions.ResourceNotFoundException:
        return {}
    return {name: item[name]["S"] for name in CHOSEN if name in item}


def told(chosen: Mapping[str, str]) -> str:
    """Return what is chosen as `make deploy` takes it; "" for nothing."""
    return " ".join(f"{CHOSEN[name]}={value}" for name, value in chosen.items())
