"""A stage's data stack as it stands: what CloudFormation says of it, asked once, and what of that is there in truth."""

from collections.abc import Collection, Sequence
from functools import cached_property
from typing import Any

import boto3

from infra import deployed, template
from infra.data_stack import losses, parameters, remaking, states, tables
from infra.data_stack.cloudformation import described, output, resources
from infra.failed import DeployError

DELETED = "DELETE_COMPLETE"
"""The state in which CloudFormation lists for a while what it has deleted itself."""


class Inspection:
    """One look at a stage's data stack: each thing is asked for when it is first needed, and then known."""

    def __init__(self, stage: str) -> None:
        """Look at nothing yet."""
        self.stage, self.name = stage, deployed.data_stack(stage)
        self._client = boto3.client("cloudformation")

    @cached_property
    def stack(self) -> dict[str, Any] | None:
        """The stack as CloudFormation describes it; None where there is no stack."""
        return described(self._client, self.name)

    @property
    def status(self) -> str:
        """The state that the stack is in; "" where there is no stack."""
        return str(self.stack["StackStatus"]) if self.stack else ""

    @property
    def is_kept(self) -> bool:
        """Whether a deployment keeps the stack; one that isn't whole, or is being deleted, it makes anew."""
        is_empty = self.status == states.EMPTY and not self.made
        return self.stack is not None and not states.is_made_anew(self.status, is_empty=is_empty)

    @property
    def chosen(self) -> dict[str, str]:
        """What the owner has chosen of the stack."""
        return parameters.chosen(self.stack)

    @property
    def boundary(self) -> str:
        """The ARN of the policy that bounds the roles; "" where none does."""
        return self.chosen.get("Boundary", "")

    def output(self, name: str) -> str:
        """Return what the stack says of itself under a name; "" where it has no such output."""
        return output(self.stack, name)

    @cached_property
    def made(self) -> Sequence[dict[str, Any]]:
        """The resources that the stack has; none where there is no stack."""
        if self.stack is None:
            return []
        listed = resources(self._client, self.name)
        return [each for each in listed if each.get("PhysicalResourceId") and each["ResourceStatus"] != DELETED]

    def has(self, kind: str) -> dict[str, str]:
        """Return the resources of a type that the stack has: name by logical id."""
        return {
            each["LogicalResourceId"]: each["PhysicalResourceId"] for each in self.made if each["ResourceType"] == kind
        }

    @cached_property
    def tables(self) -> list[str]:
        """The tables of the stage that exist: those that the stack has, and those that the template names."""
        known = [*self.has(template.TABLE).values(), *tables.names(template.composed(), self.stage)]
        return [name for name in dict.fromkeys(known) if name in self._listed]

    @cached_property
    def described_tables(self) -> dict[str, dict[str, Any]]:
        """Those tables as DynamoDB describes them, by name."""
        client = boto3.client("dynamodb")
        return {name: client.describe_table(TableName=name)["Table"] for name in self.tables}

    @cached_property
    def alarms(self) -> list[dict[str, Any]]:
        """The alarms of the stack that are there, as CloudWatch describes them."""
        return remaking.alarms(self.has(remaking.ALARM).values())

    @cached_property
    def missing(self) -> list[str]:
        """The tables and roles that the stack has made and somebody has deleted since: "table x", "role y"."""
        gone = [name for name in self.has(template.TABLE).values() if name not in self._listed]
        return [*(f"table {name}" for name in gone), *losses.roles(self.has(losses.ROLE).values())]

    @cached_property
    def lost(self) -> dict[str, str]:
        """What the stack has made, somebody has deleted since, and a deployment makes again: name by logical id."""
        there = {name for kind in remaking.THERE for name in self._existing(kind)}
        made = ((each["LogicalResourceId"], each["PhysicalResourceId"], each["ResourceType"]) for each in self.made)
        return {logical: name for logical, name, kind in made if kind in remaking.THERE and name not in there}

    def remedy(self, again: str) -> str:
        """Return what to do about a stack that failed or is being changed, the last of it `again`; "" for any other."""
        if self.status == states.DELETING:
            return f"The stack {self.name} is being deleted, which keeps every table. To make it anew: {again}."
        if self.stack is not None and not self.is_kept:
            return (
                f"The stack {self.name} is not whole ({self.status}). To have it cleared away, which keeps every table,"
                f" and made anew: {again}."
            )
        return states.remedy(self.name, self.status, again)

    def check_missing(self) -> None:
        """Raise DeployError, with what to do, where a table or a role was deleted."""
        if self.missing:
            raise DeployError(losses.told(self.name, self.missing))

    def _existing(self, kind: str) -> Collection[str]:
        if kind == remaking.ALARM:
            return [each["AlarmName"] for each in self.alarms]
        return remaking.THERE[kind](self.has(kind).values())

    @cached_property
    def _listed(self) -> set[str]:
        return tables.listed()
