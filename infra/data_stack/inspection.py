"""Inspect a stage's data stack: read CloudFormation's description, and find out which of its resources exist."""

from collections.abc import Collection, Sequence
from functools import cached_property
from typing import Any

import boto3

from infra import deployed, template
from infra.data_stack import losses, parameters, remaking, states, tables
from infra.data_stack.cloudformation import described, output, resources
from infra.failed import DeployError

DELETED = "DELETE_COMPLETE"
"""The status of a deleted resource, which CloudFormation still lists for some time."""


class Inspection:
    """An inspection of a stage's data stack. Each value is read at its first use, and cached."""

    def __init__(self, stage: str) -> None:
        """Create an inspection without calling AWS."""
        self.stage, self.name = stage, deployed.data_stack(stage)
        self._client = boto3.client("cloudformation")

    @cached_property
    def stack(self) -> dict[str, Any] | None:
        """CloudFormation's description of the stack; None if it doesn't exist."""
        return described(self._client, self.name)

    @property
    def status(self) -> str:
        """The stack's status; "" if it doesn't exist."""
        return str(self.stack["StackStatus"]) if self.stack else ""

    @property
    def is_kept(self) -> bool:
        """Whether a deployment keeps the stack. If the stack is incomplete or being deleted, it is recreated."""
        is_empty = self.status == states.EMPTY and not self.made
        return self.stack is not None and not states.is_recreated(self.status, is_empty=is_empty)

    @property
    def chosen(self) -> dict[str, str]:
        """The parameters that the operator has chosen."""
        return parameters.chosen(self.stack)

    @property
    def boundary(self) -> str:
        """The ARN of the roles' permissions boundary; "" if they have none."""
        return self.chosen.get("Boundary", "")

    def output(self, name: str) -> str:
        """Return an output of the stack; "" if the output doesn't exist."""
        return output(self.stack, name)

    @cached_property
    def made(self) -> Sequence[dict[str, Any]]:
        """The resources of the stack; empty if the stack doesn't exist."""
        if self.stack is None:
            return []
        listed = resources(self._client, self.name)
        return [each for each in listed if each.get("PhysicalResourceId") and each["ResourceStatus"] != DELETED]

    def has(self, kind: str) -> dict[str, str]:
        """Return the names of the stack's resources of a type, by logical id."""
        return {
            each["LogicalResourceId"]: each["PhysicalResourceId"] for each in self.made if each["ResourceType"] == kind
        }

    @cached_property
    def tables(self) -> list[str]:
        """The names of the tables that exist and that are in the stack or in the template."""
        known = [*self.has(template.TABLE).values(), *tables.names(template.composed(), self.stage)]
        return [name for name in dict.fromkeys(known) if name in self._listed]

    @cached_property
    def described_tables(self) -> dict[str, dict[str, Any]]:
        """DynamoDB's descriptions of the existing tables, by name."""
        client = boto3.client("dynamodb")
        return {name: client.describe_table(TableName=name)["Table"] for name in self.tables}

    @cached_property
    def alarms(self) -> list[dict[str, Any]]:
        """CloudWatch's descriptions of the stack's existing alarms."""
        return remaking.alarms(self.has(remaking.ALARM).values())

    @cached_property
    def missing(self) -> list[str]:
        """The stack's tables and roles that were manually deleted, in the form "table x" and "role y"."""
        gone = [name for name in self.has(template.TABLE).values() if name not in self._listed]
        return [*(f"table {name}" for name in gone), *losses.roles(self.has(losses.ROLE).values())]

    @cached_property
    def lost(self) -> dict[str, str]:
        """The names of manually deleted resources that a deployment recreates, by logical id."""
        there = {name for kind in remaking.THERE for name in self._existing(kind)}
        made = ((each["LogicalResourceId"], each["PhysicalResourceId"], each["ResourceType"]) for each in self.made)
        return {logical: name for logical, name, kind in made if kind in remaking.THERE and name not in there}

    def remedy(self, again: str) -> str:
        """Return instructions, which end with `again`, if the stack failed or is being updated; otherwise ""."""
        if self.status == states.DELETING:
            return f"The stack {self.name} is being deleted, which keeps every table. To recreate it: {again}."
        if self.stack is not None and not self.is_kept:
            return (
                f"The stack {self.name} is incomplete ({self.status}). To delete it, which keeps every table, and"
                f" recreate it: {again}."
            )
        return states.remedy(self.name, self.status, again)

    def check_missing(self) -> None:
        """Raise DeployError, with instructions, if a table or a role was deleted."""
        if self.missing:
            raise DeployError(losses.describe(self.name, self.missing))

    def _existing(self, kind: str) -> Collection[str]:
        if kind == remaking.ALARM:
            return [each["AlarmName"] for each in self.alarms]
        return remaking.THERE[kind](self.has(kind).values())

    @cached_property
    def _listed(self) -> set[str]:
        return tables.listed()
