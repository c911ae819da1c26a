"""Whether a stage is reachable, before and during a command: if not, one sentence with the remedy.

Only for errors that the operator can fix. Others are bugs, and keep their
traceback.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.exceptions import PynamoDBException

from chalicelib.core import settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import Contended, DynamoDBError, Throttled, Unreachable, classify_error
from infra import aws_errors

WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"})
NOTHING_DONE = "Nothing was changed."
HARMLESS = "It may be done in part or whole. Run it again: what is done stays done."
AGAIN = {
    "key": "The key may be stored, without its secret: revoke it on the account's page at /admin, and run this again.",
    "account": "The account may be made. Run it again; if it says so, make password-link EMAIL=… prints a new link.",
    "incident": "It may be published: look at /status before you run it again.",
}
"""The remedy after an interrupted command that isn't idempotent."""


class NotReachable(Exception):
    """The message says what is wrong, what was done, and what to do."""


def must_answer(stage: str) -> None:
    """Read an account that can't exist. Raises NotReachable."""
    request = {"TableName": settings.current().table("accounts"), "Key": {"id": {"S": "acc_"}}}
    try:
        dynamodb.call("GetItem", request)
    except DynamoDBError as error:
        raise NotReachable(_in_words(stage, error) or str(error)) from error


@contextmanager
def until_the_end(stage: str, command: str) -> Iterator[None]:
    """Raise NotReachable when AWS becomes unreachable or denies a call during a command."""
    with telemetry.record_calls() as calls:
        try:
            yield
        except (PynamoDBException, DynamoDBError, ClientError, BotoCoreError) as error:
            cause = _cause(error)
            why = _in_words(stage, cause)
            if not why:
                raise
            raise NotReachable(f"{why} {_what_now(command, calls.made, cause)}") from error


def _cause(error: Exception) -> DynamoDBError | BotoCoreError:
    """Return the error of AWS or of the connection, which pynamodb wraps."""
    inner: BaseException | None = error
    while isinstance(inner, PynamoDBException | ClientError):
        outer, inner = inner, inner.__cause__ or getattr(inner, "cause", None)
        if inner is None and isinstance(outer, ClientError):
            return classify_error(outer.response)
    return inner if isinstance(inner, DynamoDBError | BotoCoreError) else DynamoDBError("", str(error), {})


def _what_now(command: str, made: list[tuple[str, str]], cause: DynamoDBError | BotoCoreError) -> str:
    """Return what was done, and what to do: a single rejected write has changed nothing."""
    writes = {call for call in made if call[0] in WRITES}
    last_was_refused = bool(made) and made[-1] in writes and not isinstance(cause, Unreachable)
    if not writes or (len(writes) == 1 and last_was_refused):
        return f"{NOTHING_DONE} Run it again then."
    return AGAIN.get(command, HARMLESS)


def _in_words(stage: str, error: DynamoDBError | BotoCoreError) -> str:
    """Return the error and its remedy, "" for errors that the operator can't fix."""
    if isinstance(error, BotoCoreError):
        return aws_errors.in_words(error)
    if error.code == "NotConfigured":
        return _not_configured(error)
    if error.code == "ResourceNotFoundException":
        return _nothing_there(stage)
    if isinstance(error, Throttled | Contended):
        return f"DynamoDB has no room for this right now ({error}). Wait a minute."
    if not isinstance(error, Unreachable):
        return aws_errors.refusal(error.code, str(error))
    if stage == "local":
        return "The local database doesn't answer: start it with `make run`."
    return f"DynamoDB doesn't answer ({error}). Check the network, AWS_DEFAULT_REGION and AWS_ENDPOINT_URL."


def _not_configured(error: DynamoDBError) -> str:
    """Return the missing setting: botocore names it, and our own message where to set it."""
    cause = error.__cause__
    if cause is not None and isinstance(cause.__cause__, BotoCoreError):
        return aws_errors.in_words(cause.__cause__)
    return str(cause)


def _nothing_there(stage: str) -> str:
    if stage == "local":
        return "The local database has no tables yet: wait until `make run` says that it serves."
    return (
        f"Nothing is deployed as {stage} in this account and region. Check STAGE, AWS_PROFILE and AWS_DEFAULT_REGION, "
        f"or deploy it: make deploy STAGE={stage}"
    )
