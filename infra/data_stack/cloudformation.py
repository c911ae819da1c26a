"""Call CloudFormation: functions that all stacks use."""

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError, WaiterError

from infra.failed import DeployError

CAPABILITIES = ["CAPABILITY_NAMED_IAM"]
"""The acknowledgement that CloudFormation requires for templates with named IAM roles."""
ONLY_DELETABLE = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "REVIEW_IN_PROGRESS", "DELETE_FAILED")
"""The states in which a stack can only be deleted, because it is incomplete."""
WAIT = {"Delay": 5, "MaxAttempts": 180}
NOTHING_NEW = "No updates are to be performed"


def described(client: Any, name: str) -> dict[str, Any] | None:
    """Return CloudFormation's description of a stack; None if it doesn't exist."""
    try:
        stacks: list[dict[str, Any]] = client.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    return None if stacks[0]["StackStatus"] == "DELETE_COMPLETE" else stacks[0]


def output(stack: dict[str, Any] | None, name: str) -> str:
    """Return an output of a stack; "" if the stack or the output doesn't exist."""
    outputs = (stack or {}).get("Outputs", [])
    return next((str(each["OutputValue"]) for each in outputs if each["OutputKey"] == name), "")


def resources(client: Any, name: str) -> Iterator[dict[str, Any]]:
    """Yield CloudFormation's summaries of a stack's resources."""
    for page in client.get_paginator("list_stack_resources").paginate(StackName=name):
        yield from page["StackResourceSummaries"]


def wait(client: Any, waiter: str, name: str, failed: str, *, often: dict[str, int] | None = None) -> None:
    """Wait until a stack has the state that `waiter` names.

    Raises DeployError, with the text in `failed` and a command that shows the cause, if the stack gets another state.
    """
    try:
        client.get_waiter(waiter).wait(StackName=name, WaiterConfig=often or WAIT)
    except WaiterError as error:
        see_why = command("describe-stack-events", name, client.meta.region_name)
        raise DeployError(f"{failed} See why: {see_why}") from error


def command(action: str, name: str, region: str = "") -> str:
    """Return the AWS CLI command for an action on a stack, for error messages."""
    return f"aws cloudformation {action}{f' --region {region}' if region else ''} --stack-name {name}"


def update(client: Any, request: dict[str, Any]) -> bool:
    """Start an update of a stack. Return False if there is nothing to update."""
    try:
        client.update_stack(**request)
    except ClientError as error:
        if NOTHING_NEW in str(error):
            return False
        raise
    return True


def changes(client: Any, change: dict[str, str]) -> list[str]:
    """Return the changes of a change set, in the form "Modify AWS::DynamoDB::Table Accounts"."""
    try:
        client.get_waiter("change_set_create_complete").wait(**change, WaiterConfig=WAIT)
    except WaiterError as error:
        reason = str(error.last_response.get("StatusReason", error))
        if "didn't contain changes" in reason or NOTHING_NEW in reason:
            return []
        raise DeployError(f"CloudFormation can't determine the changes: {reason}") from error
    found = [
        each["ResourceChange"]
        for page in client.get_paginator("describe_change_set").paginate(**change)
        for each in page["Changes"]
    ]
    return [f"{each['Action']} {each['ResourceType']} {each['LogicalResourceId']}" for each in found]
