"""Create, update and delete an edge stack with CloudFormation.

The stack has no data, so an incomplete stack is deleted and recreated.
"""

from typing import Any

import boto3

from infra import template
from infra.data_stack import states
from infra.data_stack.cloudformation import CAPABILITIES, ONLY_DELETABLE, described, output, resources, update, wait
from infra.failed import DeployError
from infra.template import Template

FUNCTION = "AWS::Lambda::Function"
WHOLE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")
WAIT = {"Delay": 15, "MaxAttempts": 160}
"""The polling interval (s), and the maximum number of polls. CloudFront takes longest to delete a distribution."""


class CopiesLeft(DeployError):
    """CloudFront still has replicas of the edge function, so the function can't be deleted yet."""


class EdgeStack:
    """An edge stack, in a given region. `say` is called with a line for each step."""

    def __init__(self, name: str, region: str, say: Any) -> None:
        """Create an object for the stack without calling AWS."""
        self.name, self.region, self._say = name, region, say
        self._client = boto3.client("cloudformation", region_name=region)

    def put(self, wanted: Template, parameters: dict[str, str]) -> None:
        """Create or update the stack, and wait until this is complete. Raises DeployError, with instructions."""
        stack = self.described()
        status = stack["StackStatus"] if stack else ""
        states.check(self.name, status, self.region)
        # Keep parameters that were changed in AWS, such as a rate limit. Otherwise the update would reset them.
        given = {each["ParameterKey"]: each["ParameterValue"] for each in (stack or {}).get("Parameters", [])}
        kept = sorted((given.keys() & wanted["Parameters"].keys()) - parameters.keys())
        if status in ONLY_DELETABLE:
            self._say(f"Deleting the stack {self.name}, which is incomplete ({status}) …")
            self.delete()
            stack = None
        request: dict[str, Any] = {
            "StackName": self.name,
            "TemplateBody": template.as_text(wanted),
            "Parameters": [{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
            "Capabilities": CAPABILITIES,
        }
        if stack is None:
            shown = [name for name in kept if not wanted["Parameters"][name].get("NoEcho")]
            request["Parameters"] += [{"ParameterKey": name, "ParameterValue": given[name]} for name in shown]
            self._client.create_stack(**request)
            self._wait("stack_create_complete", "created")
            return
        request["Parameters"] += [{"ParameterKey": name, "UsePreviousValue": True} for name in kept]
        if update(self._client, request):
            self._wait("stack_update_complete", "updated")

    def check(self) -> None:
        """Raise DeployError, with instructions, if the state of the stack allows neither an update nor a recreation."""
        states.check(self.name, self._status(), self.region)

    def remedy(self, status: str, again: str) -> str:
        """Return instructions, which end with `again`, if the stack failed or is being updated; otherwise ""."""
        if status in ONLY_DELETABLE:
            return f"The stack {self.name} is incomplete ({status}). To delete and recreate it: {again}."
        return states.remedy(self.name, status, again, self.region)

    def planned(self) -> str:
        """Describe the change that `put` would make."""
        status = self._status()
        if status in ONLY_DELETABLE:
            return f"{self.name}, in {self.region}, is incomplete ({status}) and would be deleted and recreated"
        return f"{self.name}, in {self.region}, would be {'updated' if status else 'created'}"

    def _status(self) -> str:
        """Return the stack's status; "" if it doesn't exist."""
        stack = self.described()
        return str(stack["StackStatus"]) if stack else ""

    def delete(self) -> None:
        """Delete the stack if it exists. Raises CopiesLeft while the edge function can't be deleted."""
        if self.described() is None:
            return
        self._client.delete_stack(StackName=self.name)
        try:
            self._wait("stack_delete_complete", "deleted")
        except DeployError:
            has = resources(self._client, self.name)
            failed = {each["ResourceType"] for each in has if each["ResourceStatus"] == "DELETE_FAILED"}
            if FUNCTION in failed:
                raise CopiesLeft(
                    f"CloudFront still has copies of the edge function in the stack {self.name} ({self.region}); it"
                    " deletes them within some hours, and the function can't be deleted before."
                ) from None
            raise

    def described(self) -> dict[str, Any] | None:
        """Return CloudFormation's description of the stack; None if it doesn't exist."""
        return described(self._client, self.name)

    def has(self, kind: str) -> bool:
        """Return whether the stack has a resource of this type."""
        made = (each for each in resources(self._client, self.name) if each["ResourceType"] == kind)
        return any(each.get("PhysicalResourceId") and each["ResourceStatus"] != "DELETE_COMPLETE" for each in made)

    def output(self, name: str) -> str:
        """Return an output of the stack; "" if the stack doesn't exist."""
        return output(self.described(), name)

    def parameters(self) -> dict[str, str]:
        """Return the stack's parameters, with secrets masked; empty if the stack doesn't exist."""
        given = (self.described() or {}).get("Parameters", [])
        return {each["ParameterKey"]: each["ParameterValue"] for each in given}

    def _wait(self, waiter: str, done: str) -> None:
        wait(self._client, waiter, self.name, f"The stack {self.name} could not be {done}.", often=WAIT)
