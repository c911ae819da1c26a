"""Create, update and delete a stage's data stack with CloudFormation, from any state.

No update removes a table or an index, even if only an older version uses it. An update creates one index per table,
since DynamoDB can't create more at a time. Existing tables and log groups are imported into the stack, and manually
deleted alarms, dashboards, topics and log groups are recreated.
"""

import json
import secrets
from collections.abc import Mapping
from typing import Any

import boto3
from botocore.exceptions import WaiterError

from infra import deployed, template
from infra.data_stack import adoption, parameters, rehearsal, remaking, states, switched_off, upgrade
from infra.data_stack.cloudformation import CAPABILITIES, WAIT, changes, update, wait
from infra.data_stack.inspection import Inspection
from infra.data_stack.parameters import NOTHING
from infra.data_stack.switched_off import Off
from infra.failed import DeployError
from infra.template import Template


class DataStack:
    """The data stack of one stage. `say` is called with a line for each step."""

    def __init__(self, stage: str, say: Any) -> None:
        """Create an object for the stack without calling AWS."""
        self.name, self._stage, self._say = deployed.data_stack(stage), stage, say
        self._client = boto3.client("cloudformation")

    def put(self, wanted: Template, chosen: Mapping[str, str] = NOTHING) -> Inspection:
        """Create or update the stack, and return an inspection of it. Raises DeployError, with instructions.

        Steps that are done already are skipped, so this can be repeated after any failure.
        """
        look = self.look()
        had = parameters.note(self._stage, look.chosen)
        look = self._settle(look, had)
        exists = look.stack is not None
        if not exists:
            chosen = parameters.kept(had, chosen)
        look.check_missing()
        orphans = self._orphans(wanted, look)
        if orphans:
            self._adopt(wanted, orphans, chosen, exists=exists)
        if not exists and not orphans:
            self._say(f"Creating the data stack {self.name}: tables, roles, logs, alarms (about two minutes) …")
            self._create(wanted, chosen)
            whole = wanted
        else:
            now = self.now()
            whole = upgrade.kept(wanted, now)
            self._update(whole, self._remove_lost(now, look.lost), chosen)
        # Protect the tables last: an incomplete stack must be able to delete those that it has just created.
        self._change(whole, parameters.given(chosen, whole, Protection="on"))
        self._client.update_termination_protection(StackName=self.name, EnableTerminationProtection=True)
        look = self.look()
        parameters.note(self._stage, look.chosen, is_complete=True)
        if exists:
            switched_off.switch_on(switched_off.found(look, whole), self._say)
        return look

    def planned(
        self, wanted: Template, chosen: Mapping[str, str] = NOTHING, *, look: Inspection | None = None
    ) -> list[str]:
        """Return the changes that `put` would make, such as "Modify AWS::DynamoDB::Table Accounts"."""
        look = look or self.look()
        if look.is_kept:
            states.check(self.name, look.status)
            look.check_missing()
            lines = self._plan_update(wanted, chosen, look)
            return lines + rehearsal.of_mail(lines, look.chosen, parameters.kept(look.chosen, chosen))
        lines = rehearsal.of_creation(wanted, self._stage, look.made)
        if look.stack is not None:
            lines.insert(0, f"Remove {rehearsal.STACK} {self.name}, which is incomplete ({look.status})")
        had = parameters.kept(parameters.noted(self._stage), look.chosen)
        return lines + rehearsal.of_mail(lines, NOTHING, parameters.kept(had, chosen))

    def _plan_update(self, wanted: Template, chosen: Mapping[str, str], look: Inspection) -> list[str]:
        change = {"StackName": self.name, "ChangeSetName": f"dry-run-{secrets.token_hex(4)}"}
        now = self.now()
        whole = upgrade.kept(wanted, now)
        request = self._request(whole, parameters.given(chosen, now, Protection="on"))
        self._client.create_change_set(**(change | request), ChangeSetType="UPDATE")
        try:
            orphans = self._without_a_stack(wanted, look)
            found = adoption.with_imports(changes(self._client, change), wanted, orphans, self._stage)
            return rehearsal.of_update(found, now, whole, look.lost)
        finally:
            self._client.delete_change_set(**change)

    def delete(self) -> None:
        """Delete the stack if it exists. CloudFormation keeps its tables."""
        if self.look().stack is None:
            return
        self._client.update_termination_protection(StackName=self.name, EnableTerminationProtection=False)
        self._client.delete_stack(StackName=self.name)
        self._wait("stack_delete_complete", "deleted")

    def look(self) -> Inspection:
        """Return a new inspection of the stack."""
        return Inspection(self._stage)

    def now(self) -> Template:
        """Return the stack's current template, which is JSON, because Latchkey always uploads JSON."""
        given = self._client.get_template(StackName=self.name, TemplateStage="Original")["TemplateBody"]
        loaded: Template = given if isinstance(given, dict) else json.loads(given)
        return loaded

    def off(self, wanted: Template, look: Inspection) -> list[Off]:
        """Return the manually disabled features that `put` would enable again."""
        return switched_off.found(look, upgrade.kept(wanted, self.now()))

    def _settle(self, look: Inspection, had: Mapping[str, str]) -> Inspection:
        """Wait until a deletion is complete, or delete an incomplete stack; return an up-to-date inspection."""
        if look.status == states.DELETING:
            self._say(f"Waiting until the data stack {self.name} is deleted …")
            self._wait("stack_delete_complete", "deleted")
            return self.look()
        if look.stack is not None and not look.is_kept:
            kept = f" Parameters that aren't given keep their values: {parameters.as_arguments(had)}." if had else ""
            self._say(f"Deleting all but the tables of {self.name}, which is incomplete ({look.status}) …{kept}")
            self.delete()
            return self.look()
        states.check(self.name, look.status)
        return look

    def _orphans(self, wanted: Template, look: Inspection) -> list[str]:
        """Return the resources that exist outside the stack, after waiting until deletions of tables are complete."""
        found = self._without_a_stack(wanted, look)
        deleted = adoption.being_deleted(found, wanted, self._stage)
        for table in deleted:
            self._say(f"Waiting until the table {table} is deleted …")
            boto3.client("dynamodb").get_waiter("table_not_exists").wait(TableName=table)
        return [name for name in found if name not in deleted]

    def _without_a_stack(self, wanted: Template, look: Inspection) -> list[str]:
        has = {each["PhysicalResourceId"] for each in look.made}
        return [name for name in adoption.existing(wanted, self._stage) if name not in has]

    def _create(self, wanted: Template, chosen: Mapping[str, str]) -> None:
        try:
            self._client.create_stack(
                **self._request(wanted, parameters.given(chosen, Stage=self._stage, Protection="off")),
                EnableTerminationProtection=True,
            )
        except self._client.exceptions.AlreadyExistsException as error:
            raise DeployError(
                f"Another process has started to create the data stack {self.name}. Wait until it has ended, then run"
                " this again."
            ) from error
        self._wait("stack_create_complete", "created")

    def _adopt(self, wanted: Template, orphans: list[str], chosen: Mapping[str, str], *, exists: bool) -> None:
        """Import existing resources into the stack with their current properties.

        An import can't change the properties, so the next update sets the wanted ones.
        """
        self._say(f"Importing existing resources into the data stack {self.name}: {', '.join(orphans)} …")
        now = self.now() if exists else {**wanted, "Resources": {}, "Outputs": {}}
        named = {"StackName": self.name, "ChangeSetName": f"adopt-{secrets.token_hex(4)}"}
        self._client.create_change_set(
            ChangeSetName=named["ChangeSetName"],
            **self._request(
                adoption.with_adopted(now, wanted, orphans, self._stage),
                parameters.given(NOTHING, now)
                if exists
                else parameters.given(chosen, Stage=self._stage, Protection="off"),
            ),
            **adoption.import_arguments(wanted, orphans, self._stage),
        )
        try:
            self._client.get_waiter("change_set_create_complete").wait(**named, WaiterConfig=WAIT)
        except WaiterError as error:
            raise DeployError(
                f"{', '.join(orphans)} could not be imported into the data stack {self.name}:"
                f" {error.last_response.get('StatusReason', error)} Nothing was changed. Fix it, then run this again."
            ) from error
        self._client.execute_change_set(**named)
        self._wait("stack_import_complete", "extended by the existing resources")

    def _update(self, whole: Template, now: Template, chosen: Mapping[str, str]) -> None:
        self._say(f"Updating the data stack {self.name} …")
        steps, is_changed = list(upgrade.steps(whole, now)), False
        for number, step in enumerate(steps, 1):
            if len(steps) > 1:
                self._say(f"One new index of a table at a time: step {number} of {len(steps)} …")
            is_changed |= self._change(step, parameters.given(chosen, now))
            now = step
        if not is_changed:
            self._say("The data stack is up to date.")

    def _remove_lost(self, now: Template, lost: Mapping[str, str]) -> Template:
        """Remove manually deleted resources from the stack, so that the next update recreates them.

        Returns the stack's template after the removal.
        """
        if not lost:
            return now
        less = remaking.without(now, lost)
        self._say(f"Recreating deleted resources: {remaking.describe(now, less, lost)} …")
        self._change(less, parameters.given(NOTHING, now))
        return less

    def _change(self, step: Template, given: list[dict[str, Any]]) -> bool:
        """Update the stack, and wait until the update is complete. Return False if there is nothing to update."""
        if not update(self._client, self._request(step, given)):
            return False
        self._wait("stack_update_complete", "updated")
        return True

    def _request(self, body: Template, given: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "StackName": self.name,
            "TemplateBody": template.as_text(body),
            "Parameters": given,
            "Capabilities": CAPABILITIES,
        }

    def _wait(self, waiter: str, done: str) -> None:
        failed = f"The stack {self.name} could not be {done}; nothing else was changed, and the service keeps running."
        wait(self._client, waiter, self.name, failed)
