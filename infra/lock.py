"""One deployment of a stage at a time: a deployment holds an item of the stage, renews it, and lets it go.

Before the tables exist CloudFormation does the same, since of two who create a stack one is refused.
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
"""A deployment that was killed keeps the next one waiting for as long as this."""
KEY = {"digest": {"S": "deployment"}}
FREE = "attribute_not_exists(dies_at) OR dies_at < :now"
MINE = "held_by = :me"


@contextmanager
def on(stage: str) -> Iterator[Callable[[], None]]:
    """Hold a stage for a `with` block; raise DeployError, with who it is, where somebody else does.

    Where the stage has no tables yet there is nothing to hold it by: the function that is yielded takes it as soon as
    there are, and does nothing where it is held.
    """
    client, table, me = boto3.client("dynamodb"), table_of(stage), secrets.token_hex(8)
    ended = threading.Event()
    renewing = threading.Thread(target=_renew, args=(client, table, me, ended), daemon=True)

    def take() -> None:
        if not renewing.is_alive() and _take(client, table, me):
            renewing.start()

    try:
        take()
        yield take
    finally:
        ended.set()
        if renewing.is_alive():
            renewing.join()
        # Also where it is not known whether it was taken. It may have been deleted with its table, or be somebody
        # else's; and what can't be let go ends by itself.
        with suppress(ClientError, BotoCoreError):
            client.delete_item(
                TableName=table, Key=KEY, ConditionExpression=MINE, ExpressionAttributeValues={":me": {"S": me}}
            )


def holder(stage: str) -> str:
    """Return who holds a stage, and since when; "" where nobody does, or the stage has no tables yet."""
    client = boto3.client("dynamodb")
    try:
        read = client.get_item(TableName=table_of(stage), Key=KEY, ConsistentRead=True)
    except client.exceptions.ResourceNotFoundException:
        return ""
    item = read.get("Item")
    is_held = item and int(item.get("dies_at", {"N": "0"})["N"]) >= clock.now_s()
    return str(item.get("who", {"S": "Somebody"})["S"]) if is_held else ""


def table_of(stage: str) -> str:
    """Return the table that a stage is held in, and in which a deployment notes what was chosen."""
    return f"latchkey-{stage}-tickets"


def _take(client: Any, table: str, me: str) -> bool:
    """Take the lock; return False where there is no table to hold it in."""
    now = clock.now_s()
    item = {**KEY, "held_by": {"S": me}, "who": {"S": _who()}, "dies_at": {"N": str(now + HELD_S)}}
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
        with suppress(ClientError, BotoCoreError):  # the next one may pass: several go into the time that it is held
            client.update_item(
                TableName=table,
                Key=KEY,
                UpdateExpression="SET dies_at = :then",
                ConditionExpression=MINE,
                ExpressionAttributeValues={":me": {"S": me}, ":then": {"N": str(clock.now_s() + HELD_S)}},
            )


def _who() -> str:
    """Return whom to ask: the account on the machine, and the machine."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # no account of that number, as in some containers
        name = "somebody"
    return f"{name} on {socket.gethostname()}, since {time.strftime('%H:%M UTC', time.gmtime(clock.now_s()))},"
