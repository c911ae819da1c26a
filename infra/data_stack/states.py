"""The states of a stack that failed or is being changed, and what to do about each."""

from infra.data_stack.cloudformation import ONLY_DELETABLE, command
from infra.failed import DeployError

DELETING = "DELETE_IN_PROGRESS"
EMPTY = "IMPORT_ROLLBACK_COMPLETE"
"""One that began with what exists and was not given it has this state, as has one that was whole before."""


def is_made_anew(status: str, *, is_empty: bool) -> bool:
    """Return whether a deployment makes a stack anew that is in this state."""
    return status == DELETING or status in ONLY_DELETABLE or (status == EMPTY and is_empty)


def check(name: str, status: str, region: str = "") -> None:
    """Raise DeployError, with what to do, for a state in which a stack can be neither updated nor deleted.

    `region` is where it is, if that isn't the region of the stage.
    """
    found = remedy(name, status, "run this again", region)
    if found:
        raise DeployError(found)


def remedy(name: str, status: str, again: str, region: str = "") -> str:
    """Return what to do about a stack that can be neither updated nor deleted, the last of it `again`; else ""."""
    if status in ONLY_DELETABLE:
        return ""
    if status.endswith("_IN_PROGRESS"):
        return f"The stack {name} is being changed by somebody else ({status}). Wait until that is over, then {again}."
    see_why = f"See why: {command('describe-stack-events', name, region)}."
    if status == "IMPORT_ROLLBACK_FAILED":
        return (
            f"The stack {name} could neither take tables in nor go back ({status}). {see_why} If the cause can't be"
            " mended, delete it, which keeps every table:"
            f" {command('update-termination-protection', name, region)} --no-enable-termination-protection, then"
            f" {command('delete-stack', name, region)}. Callers get errors from then until this is done: {again}."
        )
    if status.endswith("ROLLBACK_FAILED"):
        return (
            f"The stack {name} could not go back to what it was ({status}). {see_why} Then:"
            f" {command('continue-update-rollback', name, region)}, and {again}."
        )
    return ""
