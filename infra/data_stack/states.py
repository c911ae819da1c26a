"""The states of a data stack in which it can be neither updated nor deleted, and what to do about each."""

from infra.data_stack.cloudformation import ONLY_DELETABLE
from infra.failed import DeployError

DELETING = "DELETE_IN_PROGRESS"


def check(name: str, status: str) -> None:
    """Raise DeployError, with what to do, for a state in which a stack can be neither updated nor deleted."""
    if status == DELETING or status in ONLY_DELETABLE:
        return
    if status.endswith("_IN_PROGRESS"):
        raise DeployError(
            f"The data stack {name} is being changed by somebody else ({status}). Wait until that is over,"
            " then run this again."
        )
    if status == "IMPORT_ROLLBACK_FAILED":
        raise DeployError(
            f"The data stack {name} could neither take tables in nor go back ({status}). See why: aws"
            f" cloudformation describe-stack-events --stack-name {name}. If the cause can't be mended, delete"
            f" it, which keeps every table: aws cloudformation update-termination-protection --stack-name"
            f" {name} --no-enable-termination-protection, then aws cloudformation delete-stack --stack-name"
            f" {name}. Callers get errors from then until you have run this again."
        )
    if status.endswith("ROLLBACK_FAILED"):
        raise DeployError(
            f"The data stack {name} could not go back to what it was ({status}). See why: aws cloudformation"
            f" describe-stack-events --stack-name {name}. Then: aws cloudformation continue-update-rollback"
            f" --stack-name {name}, and run this again."
        )
