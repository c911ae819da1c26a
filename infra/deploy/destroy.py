"""`make destroy`: delete a stage's service and, if requested and confirmed, its data."""

import boto3

from infra import deployed, domains, lock, stage_key
from infra.data_stack.stack import DataStack
from infra.data_stack.tables import is_being_deleted, unknown
from infra.deploy import checks
from infra.deploy.chalice_commands import chalice
from infra.deploy.output import say
from infra.edge import front
from infra.failed import DeployError

DELETES_MAX = 3
PRODUCTION = "prod"


def destroy(stage: str, *, delete_data: bool) -> None:
    """Delete the service and, if requested, the data. Data and production require a typed confirmation."""
    say(f"Removing {stage} from {checks.where()}: {'with its data' if delete_data else 'its data is kept'}.")
    if delete_data:
        _confirm(f"delete {stage}", f"This deletes every account, key and counter of {stage}, for good.")
    elif stage == PRODUCTION and deployed.found(stage):
        _confirm(f"remove {stage}", f"Nothing answers the callers of {stage} until it is deployed again.")
    with lock.on(stage):
        left = front.Front(stage, say).delete()
        _delete_service(stage)
        data = DataStack(stage, say)
        look = data.look()
        if look.stack is None and not look.tables:
            say(f"No data of {stage} is there.")
        elif delete_data:
            _delete_data(stage, data, look.tables)
        else:
            say("The data is kept: make deploy brings the service back to it. To delete it too: DATA=delete.")
        if delete_data:
            stage_key.delete(boto3.client("ssm"), stage)
    if left:
        raise DeployError(left)


def _delete_data(stage: str, stack: DataStack, tables: list[str]) -> None:
    dynamodb = boto3.client("dynamodb")
    say(f"Deleting the data stack and {len(tables)} tables …")
    stack.delete()
    # CloudFormation retains the tables, so that only this command deletes them, after the confirmation.
    for table in (each for each in tables if not is_being_deleted(each)):
        dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False)
        dynamodb.get_waiter("table_exists").wait(TableName=table)  # a table that is being updated can't be deleted
        dynamodb.delete_table(TableName=table)
    for table in tables:
        dynamodb.get_waiter("table_not_exists").wait(TableName=table)
    left = unknown(tables, stage)
    if left:
        say(f"Kept, since this version of Latchkey made no table of that name: {', '.join(left)}.")
    say("Deleted. Point-in-time backups of deleted tables are kept by AWS for 35 days.")


def _delete_service(stage: str) -> None:
    """Delete the service, repeatedly until nothing is found: an interrupted deployment may have left two APIs."""
    left = deployed.found(stage)
    if not left:
        say(f"No service of {stage} is there.")
    for _ in range(DELETES_MAX):
        domains.release(stage, deployed.named_domain(stage), deployed.api_ids(stage), say)
        if not left:
            return
        say("Removing the service (chalice delete) …")
        chalice("delete", stage)
        left = deployed.found(stage)
    names = ", ".join(str(each.get("rest_api_id") or each.get("domain_name") or each["name"]) for each in left)
    if left:
        raise DeployError(f"Of the service of {stage} this is left: {names}. Run this again; the data was not touched.")


def _confirm(expected: str, warning: str) -> None:
    say(warning)
    try:
        typed = input(f"Type '{expected}' to go on: ")
    except EOFError:
        typed = ""
    if typed.strip() != expected:
        raise DeployError("Not confirmed; nothing was removed.")
