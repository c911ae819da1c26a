"""A stack of the edge: created, brought up to date and deleted by CloudFormation.

It holds nothing that can't be made anew, so one that isn't whole is deleted and created again.
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
"""CloudFront takes minutes to tell all its locations, and longest to delete."""


class CopiesLeft(DeployError):
    """CloudFront hasn't deleted its copies of the edge function yet, so it can't be deleted either."""


class EdgeStack:
    """One stack, in its own region. `say` is called with what is done, as it is done."""

    def __init__(self, name: str, region: str, say: Any) -> None:
        """Make no AWS call."""
        self.name, self.region, self._say = name, region, say
        self._client = boto3.client("cloudformation", region_name=region)

    def put(self, wanted: Template, parameters: dict[str, str]) -> None:
        """Create it, or bring it up to date, and wait for it; raise DeployError with what to do when that fails."""
        self.check()
        stack = self.described()
        status = stack["StackStatus"] if stack else ""
        # What was chosen in AWS, as the rate of the web ACL, stays: an update takes the default otherwise.
        given = {each["ParameterKey"]: each["ParameterValue"] for each in (stack or {}).get("Parameters", [])}
        kept = sorted((given.keys() & wanted["Parameters"].keys()) - parameters.keys())
        if status in ONLY_DELETABLE:
            self._say(f"Clearing away the stack {self.name}, which is not whole ({status}) …")
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
            self._wait("stack_update_complete", "brought up to date")

    def check(self) -> None:
        """Raise DeployError, with what to do, for a state in which it can be neither updated nor made anew."""
        states.check(self.name, self._status(), self.region)

    def remedy(self, status: str, again: str) -> str:
        """Return what to do about a state in which it failed or is being changed, the last of it `again`; else ""."""
        if status in ONLY_DELETABLE:
            return f"The stack {self.name} is not whole ({status}). To have it deleted and made anew: {again}."
        return states.remedy(self.name, status, again, self.region)

    def planned(self) -> str:
        """Return what `put` would do."""
        status = self._status()
        if status in ONLY_DELETABLE:
            return f"{self.name}, in {self.region}, is not whole ({status}) and would be deleted and created anew"
        return f"{self.name}, in {self.region}, would be {'brought up to date' if status else 'created'}"

    def _status(self) -> str:
        """Return the state that it is in; "" where it isn't there."""
        stack = self.described()
        return str(stack["StackStatus"]) if stack else ""

    def delete(self) -> None:
        """Delete it, if it is there. Raises CopiesLeft while the edge function can't be deleted yet."""
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
        """Return it as CloudFormation describes it; None where there is none."""
        return described(self._client, self.name)

    def has(self, kind: str) -> bool:
        """Return whether it has made a resource of a type, and not deleted it since."""
        made = (each for each in resources(self._client, self.name) if each["ResourceType"] == kind)
        return any(each.get("PhysicalResourceId") and each["ResourceStatus"] != "DELETE_COMPLETE" for each in made)

    def output(self, name: str) -> str:
        """Return what it says of itself; "" where it isn't there."""
        return output(self.described(), name)

    def parameters(self) -> dict[str, str]:
        """Return what it was given; nothing where it isn't there, and no secret's value."""
        given = (self.described() or {}).get("Parameters", [])
        return {each["ParameterKey"]: each["ParameterValue"] for each in given}

    def _wait(self, waiter: str, done: str) -> None:
        wait(self._client, waiter, self.name, f"The stack {self.name} could not be {done}.", often=WAIT)
