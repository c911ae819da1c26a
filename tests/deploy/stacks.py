"""The part of CloudFormation that the data stack needs, including its errors; moto's services create the resources.

moto's own CloudFormation can't update tables, import resources or protect stacks, creates no alarms and rejects
nothing.
"""

import json
import re
from dataclasses import dataclass
from xml.sax.saxutils import escape

from tests.deploy.stack_resources import StackResources
from tests.deploy.stack_template import (
    LOGS,
    WHOLE,
    Failed,
    Refused,
    Stack,
    depends,
    members,
    read_parameters,
    read_template,
    status_of,
    table_of,
)


@dataclass
class CloudFormation(StackResources):
    """The CloudFormation API of one region."""

    def answer(self, form: dict[str, str]) -> tuple[str, bytes]:
        """Return status and body of the response to a call."""
        action = form["Action"]
        try:
            result = getattr(self, f"_{re.sub('(?<!^)(?=[A-Z])', '_', action).lower()}")(form)
        except Refused as error:
            said = f"<Type>Sender</Type><Code>{error.code}</Code><Message>{escape(str(error))}</Message>"
            return "400 Bad Request", f"<ErrorResponse><Error>{said}</Error></ErrorResponse>".encode()
        body = f"<{action}Response><{action}Result>{result or ''}</{action}Result></{action}Response>"
        return "200 OK", body.encode()

    def _create_stack(self, form: dict[str, str]) -> str:
        name = form["StackName"]
        if name in self.stacks:
            raise Refused(f"Stack [{name}] already exists", "AlreadyExistsException")
        stack = Stack(
            name, read_template(form), {}, "CREATE_IN_PROGRESS", form.get("EnableTerminationProtection") == "true"
        )
        self.stacks[name] = stack
        stack.parameters = read_parameters(form, stack)
        try:
            self._bring(stack, stack.template)
        except Failed:
            for logical in reversed(list(stack.made)):
                self._take_back(stack, logical)
            stack.status = "ROLLBACK_FAILED" if stack.made else "ROLLBACK_COMPLETE"
        else:
            stack.status = "CREATE_COMPLETE"
        return "<StackId>1</StackId>"

    def _update_stack(self, form: dict[str, str]) -> str:
        stack = self._there(form)
        if not stack.status.endswith("_COMPLETE") or stack.status == "ROLLBACK_COMPLETE":
            raise Refused(f"Stack:{stack.name} is in {stack.status} state and can not be updated.")
        template = read_template(form)
        parameters = read_parameters(form, Stack(stack.name, template, stack.parameters, ""))
        if (template, parameters) == (stack.template, stack.parameters):
            raise Refused("No updates are to be performed.")
        before = stack.template, stack.parameters
        stack.parameters = parameters
        try:
            self._bring(stack, template)
        except Failed:
            stack.parameters = before[1]
            self._bring(stack, before[0])
            stack.status = "UPDATE_ROLLBACK_COMPLETE"
        else:
            stack.template, stack.status = template, "UPDATE_COMPLETE"
        return "<StackId>1</StackId>"

    def _describe_stacks(self, form: dict[str, str]) -> str:
        listed = [self._there(form)] if "StackName" in form else list(self.stacks.values())
        told = "".join(self._described(stack) for stack in listed)
        # A stack in deletion is described once more, and is removed afterwards.
        self.stacks = {name: each for name, each in self.stacks.items() if each.status != "DELETE_IN_PROGRESS"}
        return f"<Stacks>{told}</Stacks>"

    def _described(self, stack: Stack) -> str:
        outputs = stack.template.get("Outputs", {}) if stack.status in WHOLE else {}
        values = {name: self._value(stack, output["Value"]) for name, output in outputs.items()}
        listed = "".join(
            f"<member><OutputKey>{name}</OutputKey><OutputValue>{escape(str(value))}</OutputValue></member>"
            for name, value in values.items()
        )
        declared = stack.template.get("Parameters", {})
        given = "".join(
            f"<member><ParameterKey>{name}</ParameterKey><ParameterValue>"
            f"{'****' if declared[name].get('NoEcho') else escape(value)}</ParameterValue></member>"
            for name, value in stack.parameters.items()
            if name in declared
        )
        return (
            f"<member><StackName>{stack.name}</StackName><Parameters>{given}</Parameters><StackId>1</StackId><CreationTime>2026-01-01T00:00:00Z"
            f"</CreationTime><StackStatus>{stack.status}</StackStatus>"
            f"<EnableTerminationProtection>{str(stack.protected).lower()}</EnableTerminationProtection><Outputs>{listed}</Outputs></member>"
        )

    def _list_stack_resources(self, form: dict[str, str]) -> str:
        stack = self._there(form)
        listed = "".join(
            f"<member><LogicalResourceId>{logical}</LogicalResourceId><PhysicalResourceId>{escape(made.ref)}"
            f"</PhysicalResourceId><ResourceType>{made.resource['Type']}</ResourceType>"
            f"<ResourceStatus>{status_of(stack, made, self.undeletable)}</ResourceStatus>"
            "<LastUpdatedTimestamp>2026-01-01T00:00:00Z</LastUpdatedTimestamp></member>"
            for logical, made in stack.made.items()
        )
        return f"<StackResourceSummaries>{listed}</StackResourceSummaries>"

    def _get_template(self, form: dict[str, str]) -> str:
        return f"<TemplateBody>{escape(json.dumps(self._there(form).template))}</TemplateBody>"

    def _update_termination_protection(self, form: dict[str, str]) -> str:
        self._there(form).protected = form["EnableTerminationProtection"] == "true"
        return "<StackId>1</StackId>"

    def _delete_stack(self, form: dict[str, str]) -> str:
        stack = self.stacks.get(form["StackName"])
        if stack is None:
            return ""
        if stack.protected:
            raise Refused(f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled")
        for logical in reversed(list(stack.made)):
            if stack.made[logical].resource["Type"] in self.undeletable:
                stack.status = "DELETE_FAILED"
                return ""
            if "Retain" not in stack.made[logical].resource.get("DeletionPolicy", "Delete"):
                self._take_back(stack, logical)
            else:
                self.done.append(("Leave", stack.made[logical].resource["Type"], logical))
        self.done.append(("Remove", "AWS::CloudFormation::Stack", stack.name))
        del self.stacks[stack.name]
        return ""

    def _create_change_set(self, form: dict[str, str]) -> str:
        name, kind = form["StackName"], form["ChangeSetType"]
        stack = self.stacks.get(name) or Stack(name, {"Resources": {}}, {}, "REVIEW_IN_PROGRESS")
        if kind == "UPDATE" and (not stack.status.endswith("_COMPLETE") or stack.status == "ROLLBACK_COMPLETE"):
            raise Refused(f"Stack:{name} is in {stack.status} state and can not be updated.")
        template, imported = read_template(form), members(form, "ResourcesToImport", "LogicalResourceId")
        if kind == "IMPORT":
            changed = {
                logical
                for logical in template["Resources"].keys() | stack.template["Resources"].keys()
                if template["Resources"].get(logical) != stack.template["Resources"].get(logical)
            }
            if changed != set(imported):
                raise Refused("As part of the import operation, you cannot modify or add resources")
            if template.get("Outputs", {}) != stack.template.get("Outputs", {}):
                raise Refused("As part of the import operation, you cannot modify or add [Outputs]")
            if any("DeletionPolicy" not in template["Resources"][logical] for logical in imported):
                raise Refused("Resources to import must have a DeletionPolicy attribute")
        self.stacks[name] = stack
        parameters = read_parameters(form, Stack(name, template, stack.parameters, ""))
        change = {"template": template, "parameters": parameters, "imported": imported}
        self.changes[name, form["ChangeSetName"]] = change
        return "<Id>1</Id><StackId>1</StackId>"

    def _describe_change_set(self, form: dict[str, str]) -> str:
        change, stack = self.changes[form["StackName"], form["ChangeSetName"]], self.stacks[form["StackName"]]
        if change["imported"] and self.unimportable:
            return f"<Status>FAILED</Status><StatusReason>{self.unimportable}</StatusReason><Changes></Changes>"
        now, then = stack.template["Resources"], change["template"]["Resources"]
        changes = dict.fromkeys(then.keys() - now.keys(), "Add")
        changes |= dict.fromkeys(now.keys() - then.keys(), "Remove")
        changed = {name for name, value in change["parameters"].items() if stack.parameters.get(name) != value}
        changes |= {
            logical: "Modify"
            for logical in now.keys() & then.keys()
            if now[logical] != then[logical] or depends(then[logical], change["template"], changed)
        }
        listed = "".join(
            f"<member><Type>Resource</Type><ResourceChange><Action>{action}</Action><LogicalResourceId>{logical}"
            f"</LogicalResourceId><ResourceType>{(then.get(logical) or now[logical])['Type']}</ResourceType>"
            "</ResourceChange></member>"
            for logical, action in sorted(changes.items())
        )
        return f"<Status>CREATE_COMPLETE</Status><Changes>{listed}</Changes>"

    def _delete_change_set(self, form: dict[str, str]) -> str:
        del self.changes[form["StackName"], form["ChangeSetName"]]
        return ""

    def _execute_change_set(self, form: dict[str, str]) -> str:
        stack, change = self.stacks[form["StackName"]], self.changes.pop((form["StackName"], form["ChangeSetName"]))
        stack.parameters = change["parameters"]
        if change["imported"]:
            stack.template, stack.status = change["template"], "IMPORT_COMPLETE"
            for logical in change["imported"]:
                resource = self._resolved(stack, stack.template["Resources"][logical])
                self.done.append(("Import", resource["Type"], logical))
                if resource["Type"] == LOGS:
                    stack.made[logical] = self._of_log_group(resource)
                    continue
                there = self._table(resource["Properties"]["TableName"]).describe("Table")["Table"]
                stack.made[logical] = table_of(there, resource)
        return ""

    def _there(self, form: dict[str, str]) -> Stack:
        name = form["StackName"]
        if name not in self.stacks:
            raise Refused(f"Stack with id {name} does not exist")
        return self.stacks[name]
