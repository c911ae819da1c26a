"""Lock a stage for one deployment at a time, with a DynamoDB item that the deployment renews and deletes.

Before the tables exist, CloudFormation prevents a race: of two requests to create a stack, it rejects one.
"""

import getpass
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.core import clock
from infra.failed import DeployError

HELD_S, RENEWED_EVERY_S = 300, 60
"""The lifetime of a lock, and the interval of its renewal. A killed deployment's lock expires after its lifetime."""
KEY = {"digest": {"S": "deployment"}}
FREE = "attribute_not_exists(dies_at) OR dies_at < :now"
MINE = "held_by = :me"


@contextmanager
def on(stage: str) -> Iterator[Callable[[], None]]:
    """Lock a stage for a `with` block; raise DeployError, with the holder's name, if it is locked already.

    A stage without tables can't be locked yet. Call the yielded function once the tables exist: it locks the stage,
    unless this process already holds the lock.
    """
    client, table, me = boto3.client("dynamodb"), table_of(stage), secrets.token_hex(8)
    ended = threading.Event()
    renewing = threading.Thread(target=_renew, args=(client, table, me, ended), daemon=True)

    def acquire() -> None:
        if not renewing.is_alive() and _acquire(client, table, me):
            renewing.start()

    try:
        acquire()
        yield acquire
    finally:
        ended.set()
        if renewing.is_alive():
            renewing.join()
        # Delete the lock even after an error, since the failed request may have acquired it. If the deletion fails, for
        # example because the table was deleted, the lock expires.
        with suppress(ClientError, BotoCoreError):
            client.delete_item(
                TableName=table, Key=KEY, ConditionExpression=MINE, ExpressionAttributeValues={":me": {"S": me}}
            )


def holder(stage: str) -> str:
    """Return who holds a stage's lock and since when; "" if the stage isn't locked or has no tables yet."""
    client = boto3.client("dynamodb")
    try:
        read = client.get_item(TableName=table_of(stage), Key=KEY, ConsistentRead=True)
    except client.exceptions.ResourceNotFoundException:
        return ""
    item = read.get("Item")
    is_held = item and int(item.get("dies_at", {"N": "0"})["N"]) >= clock.now_s()
    return str(item.get("who", {"S": "Somebody"})["S"]) if is_held else ""


def table_of(stage: str) -> str:
    """Return the name of the table that contains a stage's lock and its recorded parameters."""
    return f"latchkey-{stage}-tickets"


def _acquire(client: Any, table: str, me: str) -> bool:
    """Acquire the lock. Return False if the table for it doesn't exist."""
    now = clock.now_s()
    item = {**KEY, "held_by": {"S": me}, "who": {"S": _describe_holder()}, "dies_at": {"N": str(now + HELD_S)}}
    try:
        client.put_item(
            TableName=table,
            Item=item,
            ConditionExpression=FREE,
            ExpressionAttributeValues={":now": {"N": str(now)}},
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except client.exceptions.ResourceNotFoundException:
        return False
    except client.exceptions.ConditionalCheckFailedException as error:
        other = error.response.get("Item", {})
        raise DeployError(
            f"{other.get('who', {}).get('S', 'Somebody else')} is deploying or destroying this stage. Wait until that"
            f" is over; if it was killed, run this again in {HELD_S // 60} minutes."
        ) from error
    return True


def _renew(client: Any, table: str, me: str, ended: threading.Event) -> None:
    while not ended.wait(RENEWED_EVERY_S):
        with suppress(ClientError, BotoCoreError):  # if this fails, the next renewal is still in time
            client.update_item(
                TableName=table,
                Key=KEY,
                UpdateExpression="SET dies_at = :then",
                ConditionExpression=MINE,
                ExpressionAttributeValues={":me": {"S": me}, ":then": {"N": str(clock.now_s() + HELD_S)}},
            )


def _describe_holder() -> str:
    """Describe the user and the machine of this process, for the error messages of other processes."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # the user id has no name, as in some containers
        name = "somebody"
    return f"{name} on {socket.gethostname()}, since {time.strftime('%H:%M UTC', time.gmtime(clock.now_s()))},"
