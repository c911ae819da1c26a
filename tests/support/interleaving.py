"""Interleaved DynamoDB calls: tests record calls, or run a function between two calls to test races without threads."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from chalicelib.core import settings
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import Cancelled, DynamoDBError
from chalicelib.limits.counter_items import TABLE


@contextmanager
def record_calls() -> Iterator[list[tuple[str, dynamodb.Json]]]:
    """Record the calls of a `with` block, each as its operation and request."""
    calls: list[tuple[str, dynamodb.Json]] = []
    send = dynamodb.sender()

    def noting(operation: str, request: dynamodb.Json) -> dynamodb.Json:
        calls.append((operation, request))
        return send(operation, request)

    with dynamodb.use_sender(noting):
        yield calls


@contextmanager
def run_before(operation: str, happens: Callable[[], object], *, times: int = 1) -> Iterator[None]:
    """Run a function right before the first calls of an operation are sent, after any earlier reads."""
    send, left = dynamodb.sender(), times

    def interrupted(name: str, request: dynamodb.Json) -> dynamodb.Json:
        nonlocal left
        if name == operation and left:
            left -= 1
            with dynamodb.use_sender(send):
                happens()
        return send(name, request)

    with dynamodb.use_sender(interrupted):
        yield


@contextmanager
def run_after(operation: str, happens: Callable[[], object], *, times: int = 1) -> Iterator[None]:
    """Run a function right after the first calls of an operation, even if these calls fail."""
    send, left = dynamodb.sender(), times

    def followed(name: str, request: dynamodb.Json) -> dynamodb.Json:
        nonlocal left
        try:
            return send(name, request)
        finally:
            if name == operation and left:
                left -= 1
                with dynamodb.use_sender(send):
                    happens()

    with dynamodb.use_sender(followed):
        yield


@contextmanager
def fail_calls(operation: str, table: str = "") -> Iterator[None]:
    """Make the calls of an operation, optionally on one table, fail with an error other than a failed condition."""
    send, named = dynamodb.sender(), settings.current().table(table)

    def losing(name: str, request: dynamodb.Json) -> dynamodb.Json:
        if name == operation and (not table or request["TableName"] == named):
            raise DynamoDBError("AccessDeniedException", "not today", {})
        return send(name, request)

    with dynamodb.use_sender(losing):
        yield


def fail_marks() -> AbstractContextManager[None]:
    """Make the writes of all invalidation marks fail."""
    return fail_calls("UpdateItem", TABLE)


@contextmanager
def cancel_transactions(table: str, item: dynamodb.Json) -> Iterator[list[tuple[str, dynamodb.Json]]]:
    """Cancel every transaction, as if the condition of its update of `table` had failed with `item` as the current
    item.
    """
    calls: list[tuple[str, dynamodb.Json]] = []
    send, named = dynamodb.sender(), settings.current().table(table)

    def refusing(operation: str, request: dynamodb.Json) -> dynamodb.Json:
        if operation != "TransactWriteItems":
            return send(operation, request)
        calls.append((operation, request))
        updated = [write.get("Update", {}).get("TableName") == named for write in request["TransactItems"]]
        refused = {"Code": "ConditionalCheckFailed", "Item": item}
        reasons = [refused if is_update else {"Code": "None"} for is_update in updated]
        error = {"Code": "TransactionCanceledException", "Message": "refused"}
        raise Cancelled(error["Code"], "", {"Error": error, "CancellationReasons": reasons})

    with dynamodb.use_sender(refusing):
        yield calls
