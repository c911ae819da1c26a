"""Check that a stage is reachable, before and during a command, and explain errors in a sentence with the remedy.

Only errors that the operator can fix are explained. Other errors are bugs, and are printed with a traceback.
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
HARMLESS = "Some or all changes may have been made. It is safe to run it again."
AGAIN = {
    "key": "The key may exist, but its secret is lost: revoke it on the account's page at /admin, then run this again.",
    "account": "The account may exist. Run this again; if it exists, make password-link EMAIL=… prints a new link.",
    "incident": "The incident may be published: check /status before you run this again.",
}
"""The remedies after an interruption of commands that aren't idempotent."""


class NotReachable(Exception):
    """The stage can't be reached; the message names the problem, the changes that were made, and the remedy."""


def check(stage: str) -> None:
    """Raise NotReachable if a read from the stage's table of accounts fails."""
    request = {"TableName": settings.current().table("accounts"), "Key": {"id": {"S": "acc_"}}}
    try:
        dynamodb.call("GetItem", request)
    except DynamoDBError as error:
        raise NotReachable(_in_words(stage, error) or str(error)) from error


@contextmanager
def explain_errors(stage: str, command: str) -> Iterator[None]:
    """Raise NotReachable if AWS becomes unreachable or denies a call in a `with` block."""
    with telemetry.record_calls() as calls:
        try:
            yield
        except (PynamoDBException, DynamoDBError, ClientError, BotoCoreError) as error:
            cause = _cause(error)
            why = _in_words(stage, cause)
            if not why:
                raise
            raise NotReachable(f"{why} {_describe_outcome(command, calls.made, cause)}") from error


def _cause(error: Exception) -> DynamoDBError | BotoCoreError:
    """Return the error of AWS or of the connection that pynamodb has wrapped."""
    inner: BaseException | None = error
    while isinstance(inner, PynamoDBException | ClientError):
        outer, inner = inner, inner.__cause__ or getattr(inner, "cause", None)
        if inner is None and isinstance(outer, ClientError):
            return classify_error(outer.response)
    return inner if isinstance(inner, DynamoDBError | BotoCoreError) else DynamoDBError("", str(error), {})


def _describe_outcome(command: str, made: list[tuple[str, str]], cause: DynamoDBError | BotoCoreError) -> str:
    """Describe the changes that were made and the next step. If the only write was rejected, nothing has changed."""
    writes = {call for call in made if call[0] in WRITES}
    last_was_refused = bool(made) and made[-1] in writes and not isinstance(cause, Unreachable)
    if not writes or (len(writes) == 1 and last_was_refused):
        return f"{NOTHING_DONE} Then run this again."
    return AGAIN.get(command, HARMLESS)


def _in_words(stage: str, error: DynamoDBError | BotoCoreError) -> str:
    """Return the explanation of an error with its remedy, "" if the operator can't fix it."""
    if isinstance(error, BotoCoreError):
        return aws_errors.in_words(error)
    if error.code == "NotConfigured":
        return _not_configured(error)
    if error.code == "ResourceNotFoundException":
        return _nothing_there(stage)
    if isinstance(error, Throttled | Contended):
        return f"DynamoDB is throttling requests ({error}). Wait a minute."
    if not isinstance(error, Unreachable):
        return aws_errors.refusal(error.code, str(error))
    if stage == "local":
        return "The local database doesn't respond: start it with `make run`."
    return f"DynamoDB doesn't respond ({error}). Check the network, AWS_DEFAULT_REGION and AWS_ENDPOINT_URL."


def _not_configured(error: DynamoDBError) -> str:
    """Return the error message for a missing AWS setting, which says where to set it."""
    cause = error.__cause__
    if cause is not None and isinstance(cause.__cause__, BotoCoreError):
        return aws_errors.in_words(cause.__cause__)
    return str(cause)


def _nothing_there(stage: str) -> str:
    if stage == "local":
        return "The local database has no tables yet: wait until `make run` prints that it is serving."
    return (
        f"Nothing is deployed as {stage} in this account and region. Check STAGE, AWS_PROFILE and AWS_DEFAULT_REGION, "
        f"or deploy the stage: make deploy STAGE={stage}"
    )
