"""Find and enable features of a data stack that were manually disabled, such as point-in-time recovery.

CloudFormation compares templates, not the actual tables and alarms, so an update wouldn't enable them.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import boto3
from botocore.exceptions import ClientError

from infra import template
from infra.data_stack.inspection import Inspection
from infra.template import Template

RECOVERY = {"PointInTimeRecoveryEnabled": True}


class Off(NamedTuple):
    """A disabled feature: its description, and the AWS call that enables it."""

    what: str
    service: str
    call: str
    about: dict[str, Any]


def found(look: Inspection, wanted: Template) -> list[Off]:
    """Return the features that the template enables but that are currently disabled."""
    return [*_stack(look), *_alarms(look), *_tables(look, wanted)]


def switch_on(off: list[Off], say: Callable[[str], object]) -> None:
    """Enable each feature. If AWS rejects a call, such as a second change of TTL within an hour, warn and continue."""
    for each in off:
        say(f"Enabling again: {each.what} …")
        try:
            getattr(boto3.client(each.service), each.call)(**each.about)
        except ClientError as error:
            say(f"Warning: {each.what} is still disabled: {error} When the cause is fixed, deploy again.")


def _stack(look: Inspection) -> Iterator[Off]:
    if look.stack and not look.stack.get("EnableTerminationProtection"):
        about = {"StackName": look.name, "EnableTerminationProtection": True}
        what = f"termination protection of the stack {look.name}"
        yield Off(what, "cloudformation", "update_termination_protection", about)


def _alarms(look: Inspection) -> Iterator[Off]:
    for name in (each["AlarmName"] for each in look.alarms if not each["ActionsEnabled"]):
        yield Off(f"actions of the alarm {name}", "cloudwatch", "enable_alarm_actions", {"AlarmNames": [name]})


def _tables(look: Inspection, wanted: Template) -> Iterator[Off]:
    properties = {logical: each["Properties"] for logical, each in template.tables(wanted).items()}
    for logical, name in look.has(template.TABLE).items():
        if logical in properties and name in look.described_tables:
            yield from _of_table(name, look.described_tables[name], properties[logical])


def _of_table(name: str, table: dict[str, Any], wanted: dict[str, Any]) -> Iterator[Off]:
    client, about = boto3.client("dynamodb"), {"TableName": name}
    if wanted.get("DeletionProtectionEnabled") and not table.get("DeletionProtectionEnabled"):
        on = {**about, "DeletionProtectionEnabled": True}
        yield Off(f"deletion protection of the table {name}", "dynamodb", "update_table", on)
    if wanted.get("PointInTimeRecoverySpecification") == RECOVERY:
        backups = client.describe_continuous_backups(**about)["ContinuousBackupsDescription"]
        if backups.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus") != "ENABLED":
            on = {**about, "PointInTimeRecoverySpecification": RECOVERY}
            yield Off(f"point-in-time recovery of the table {name}", "dynamodb", "update_continuous_backups", on)
    lifetime = wanted.get("TimeToLiveSpecification")
    if lifetime is not None:
        now = client.describe_time_to_live(**about)["TimeToLiveDescription"]
        is_on = now["TimeToLiveStatus"] in ("ENABLED", "ENABLING")
        if not is_on or now.get("AttributeName") != lifetime["AttributeName"]:
            on = {**about, "TimeToLiveSpecification": lifetime}
            yield Off(f"time to live of the table {name}", "dynamodb", "update_time_to_live", on)
