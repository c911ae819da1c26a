"""Find the instructions for a stack that failed or is being updated, from its state."""

from infra.data_stack.cloudformation import ONLY_DELETABLE, command
from infra.failed import DeployError

DELETING = "DELETE_IN_PROGRESS"
EMPTY = "IMPORT_ROLLBACK_COMPLETE"
"""The state of a stack after a failed import. If the import was creating the stack, it is empty; an existing stack is
unchanged.
"""


def is_recreated(status: str, *, is_empty: bool) -> bool:
    """Return whether a deployment recreates a stack in this state."""
    return status == DELETING or status in ONLY_DELETABLE or (status == EMPTY and is_empty)


def check(name: str, status: str, region: str = "") -> None:
    """Raise DeployError, with instructions, if a stack can be neither updated nor deleted in its state.

    `region` is the region of the stack, if it isn't the region of the stage.
    """
    found = remedy(name, status, "run this again", region)
    if found:
        raise DeployError(found)


def remedy(name: str, status: str, again: str, region: str = "") -> str:
    """Return instructions for the operator if a stack can be neither updated nor deleted; otherwise "".

    `again` is the command to run afterwards.
    """
    if status in ONLY_DELETABLE:
        return ""
    if status.endswith("_IN_PROGRESS"):
        return (
            f"The stack {name} is being updated by another process ({status}). Wait until it has ended, then {again}."
        )
    see_why = f"See why: {command('describe-stack-events', name, region)}."
    if status == "IMPORT_ROLLBACK_FAILED":
        return (
            f"The stack {name} could neither import tables nor roll back ({status}). {see_why} If the cause can't be"
            " fixed, delete it, which keeps every table:"
            f" {command('update-termination-protection', name, region)} --no-enable-termination-protection, then"
            f" {command('delete-stack', name, region)}. Callers get errors from then until this is done: {again}."
        )
    if status.endswith("ROLLBACK_FAILED"):
        return (
            f"The stack {name} could not roll back ({status}). {see_why} Then:"
            f" {command('continue-update-rollback', name, region)}, and {again}."
        )
    return ""
