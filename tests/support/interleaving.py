"""What is sent to DynamoDB, and what happens between two calls of a request: races in one process, without threads."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from chalicelib.core import settings
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import Cancelled, WireError
from chalicelib.limits.counter_items import TABLE


@contextmanager
def record_calls() -> Iterator[list[tuple[str, dynamodb.Json]]]:
    """Collect the operations that are sent in a `with` block, each with its request."""
    calls: list[tuple[str, dynamodb.Json]] = []
    send = dynamodb.sender()

    def noting(operation: str, request: dynamodb.Json) -> dynamodb.Json:
        calls.append((operation, request))
        return send(operation, request)

    with dynamodb.sent_by(noting):
        yield calls


@contextmanager
def run_before(operation: str, happens: Callable[[], object], *, times: int = 1) -> Iterator[None]:
    """Let something happen just before the first calls of an operation are sent, and so after what they rely on."""
    send, left = dynamodb.sender(), times

    def interrupted(name: str, request: dynamodb.Json) -> dynamodb.Json:
        nonlocal left
        if name == operation and left:
            left -= 1
            with dynamodb.sent_by(send):
                happens()
        return send(name, request)

    with dynamodb.sent_by(interrupted):
        yield


@contextmanager
def run_after(operation: str, happens: Callable[[], object], *, times: int = 1) -> Iterator[None]:
    """Let something happen right after the first calls of an operation, also where they are refused."""
    send, left = dynamodb.sender(), times

    def followed(name: str, request: dynamodb.Json) -> dynamodb.Json:
        nonlocal left
        try:
            return send(name, request)
        finally:
            if name == operation and left:
                left -= 1
                with dynamodb.sent_by(send):
                    happens()

    with dynamodb.sent_by(followed):
        yield


@contextmanager
def fail_calls(operation: str, table: str = "") -> Iterator[None]:
    """Let calls of an operation, on one table where that is named, fail for a reason that is no refusal."""
    send, named = dynamodb.sender(), settings.current().table(table)

    def losing(name: str, request: dynamodb.Json) -> dynamodb.Json:
        if name == operation and (not table or request["TableName"] == named):
            raise WireError("AccessDeniedException", "not today", {})
        return send(name, request)

    with dynamodb.sent_by(losing):
        yield


def fail_marks() -> AbstractContextManager[None]:
    """Let no change be marked: the counters take no write."""
    return fail_calls("UpdateItem", TABLE)


@contextmanager
def cancel_transactions(table: str, item: dynamodb.Json) -> Iterator[list[tuple[str, dynamodb.Json]]]:
    """Let every transaction be refused for its update of a table, whose item is shown as one that holds nothing up."""
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

    with dynamodb.sent_by(refusing):
        yield calls
