"""Stored counters of past hours, and lost writes of events."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from chalicelib.accounts.tables import Account
from chalicelib.core import clock, settings
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import Unreachable
from chalicelib.credentials.issue import Issued
from chalicelib.limits import counter_items, tiers
from tests.support.harness import AccountOfTest, TestApp

HOUR_S = 3_600
DAYS = 10
NETWORK = "nAAAAAAAA"
"""The network of all requests."""


def item(
    account: Account | AccountOfTest,
    hour: int,
    counters: dict[str, int],
    networks: dict[str, str],
    tier: tiers.Tier = tiers.FREE,
) -> None:
    """Store the counters of an hour with the networks of each credential."""
    values: dict[str, Any] = {name: {"N": str(count)} for name, count in counters.items()}
    values |= {name: {"S": counter} for name, counter in networks.items()}
    key = counter_items.item_key(account.id, tier, hour)
    dynamodb.call("PutItem", {"TableName": settings.current().table(counter_items.TABLE), "Item": {**key, **values}})


def used_for_days(latchkey: TestApp, account: AccountOfTest) -> Issued:
    """Return a key with 40 requests an hour from one network for ten days."""
    issued = latchkey.key(account, "read", "write")
    counter = counter_items.counter_of(issued.key.id)
    latchkey.clock.forward(DAYS * 24 * HOUR_S)
    hour = clock.hour_of(clock.now_s())
    for ago in range(DAYS * 24):
        item(account, hour - ago * HOUR_S, {counter: 40, "used": 40}, {NETWORK: counter})
    return issued


@contextmanager
def lose_writes(kind: str) -> Iterator[None]:
    """Fail each transaction that records an event of this type, within the block."""
    send = dynamodb.sender()

    def losing(operation: str, request: dynamodb.Json) -> dynamodb.Json:
        if operation == "TransactWriteItems" and any(
            put["Put"]["Item"].get("type") == {"S": kind} for put in request["TransactItems"] if "Put" in put
        ):
            raise Unreachable("NoAnswer", "no answer", {})
        return send(operation, request)

    with dynamodb.use_sender(losing):
        yield
