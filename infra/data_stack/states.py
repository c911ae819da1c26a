"""The states of a data stack that failed or is being changed, and what to do about each."""

from infra.data_stack.cloudformation import ONLY_DELETABLE
from infra.failed import DeployError

DELETING = "DELETE_IN_PROGRESS"


def check(name: str, status: str) -> None:
    """Raise DeployError, with what to do, for a state in which a stack can be neither updated nor deleted."""
    if status == DELETING or status in ONLY_DELETABLE:
        return
    told = remedy(name, status, "run this again")
    if told:
        raise DeployError(told)


def remedy(name: str, status: str, again: str) -> str:
    """Return what to do about a stack that failed or is being changed, the last of it `again`; "" for any other."""
    if status == DELETING:
        return f"The data stack {name} is being deleted, which keeps every table. To make it anew: {again}."
    if status in ONLY_DELETABLE:
        return (
            f"The data stack {name} is not whole ({status}). To have it cleared away, which keeps every table, and"
            f" made anew: {again}."
        )
    if status.endswith("_IN_PROGRESS"):
        return (
            f"The data stack {name} is being changed by somebody else ({status}). Wait until that is over,"
            f" then {again}."
        )
    if status == "IMPORT_ROLLBACK_FAILED":
        return (
            f"The data stack {name} could neither take tables in nor go back ({status}). See why: aws"
            f" cloudformation describe-stack-events --stack-name {name}. If the cause can't be mended, delete"
            f" it, which keeps every table: aws cloudformation update-termination-protection --stack-name"
            f" {name} --no-enable-termination-protection, then aws cloudformation delete-stack --stack-name"
            f" {name}. Callers get errors from then until this is done: {again}."
        )
    if status.endswith("ROLLBACK_FAILED"):
        return (
            f"The data stack {name} could not go back to what it was ({status}). See why: aws cloudformation"
            f" describe-stack-events --stack-name {name}. Then: aws cloudformation continue-update-rollback"
            f" --stack-name {name}, and {again}."
        )
    return ""
