"""The type of a DynamoDB error determines the number of tries and the pauses between them."""

from typing import Any

import pytest

from chalicelib.core import clock
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.client import FAIL_FAST, PERSISTENT, RetryPolicy
from chalicelib.core.dynamodb.errors import (
    Cancelled,
    ConditionFailed,
    Contended,
    CredentialsRejected,
    DynamoDBError,
    Throttled,
    Unreachable,
    classify_error,
    is_outage,
)

CANCELLED = "TransactionCanceledException"
MEANINGS: dict[str, type[DynamoDBError]] = {
    "ConditionalCheckFailedException": ConditionFailed,
    "ProvisionedThroughputExceededException": Throttled,
    "ThrottlingException": Throttled,
    "RequestLimitExceeded": Throttled,
    "ThrottlingError": Throttled,
    "TransactionConflictException": Contended,
    "TransactionInProgressException": Contended,
    "InvalidSignatureException": CredentialsRejected,
    "RequestTimeTooSkewed": CredentialsRejected,
    "RequestExpired": CredentialsRejected,
    "RequestTimeTooSkewedException": CredentialsRejected,
    "ExpiredTokenException": CredentialsRejected,
    "ExpiredToken": CredentialsRejected,
    "UnrecognizedClientException": CredentialsRejected,
    "InvalidClientTokenId": CredentialsRejected,
    "IncompleteSignatureException": CredentialsRejected,
    "SignatureDoesNotMatch": CredentialsRejected,
    "MissingAuthenticationTokenException": CredentialsRejected,
    "InternalServerError": Unreachable,
    CANCELLED: Cancelled,
    "ValidationException": DynamoDBError,
    "ResourceNotFoundException": DynamoDBError,
    "": DynamoDBError,
}


def response(code: str, status: int = 400, **more: Any) -> dict[str, Any]:
    """Return an error in botocore's form."""
    return {"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": status}, **more}


@pytest.mark.parametrize(("code", "kind"), MEANINGS.items())
def test_code_determines_the_error_class(code: str, kind: type[DynamoDBError]) -> None:
    """DynamoDB's error code determines the class; the error contains DynamoDB's message and full response."""
    answer = response(code)
    error = classify_error(answer)
    assert type(error) is kind
    assert (error.code, str(error), error.response) == (code, f"{code}: m", answer)
    assert error.is_fault is (kind is Unreachable)


@pytest.mark.parametrize(
    ("status", "kind"), [(499, DynamoDBError), (500, Unreachable), (503, Unreachable), (200, DynamoDBError)]
)
def test_server_error_leaves_the_outcome_unknown(status: int, kind: type[DynamoDBError]) -> None:
    """After a 5xx the outcome is unknown, unless the error code is more specific."""
    assert type(classify_error(response("502", status))) is kind
    assert type(classify_error(response("ThrottlingException", status))) is Throttled


def test_empty_error_is_still_an_error() -> None:
    """An error response without content is parsed without a failure."""
    error = classify_error({})
    assert (type(error), error.code, str(error)) == (DynamoDBError, "", ": ")


@pytest.mark.parametrize(
    ("codes", "kind"),
    [
        (["None", "TransactionConflict"], Contended),
        (["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"], Contended),
        (["TransactionConflict", None], Contended),
        (["ThrottlingError"], Contended),
        (["ProvisionedThroughputExceeded"], Contended),
        (["TransactionConflict", "ConditionalCheckFailed"], Cancelled),
        (["ConditionalCheckFailed", "None"], Cancelled),
        (["ValidationError"], Cancelled),
        (["None", None], Cancelled),
        ([], Cancelled),
    ],
)
def test_transaction_is_retried_only_without_a_failed_condition(
    codes: list[str | None], kind: type[DynamoDBError]
) -> None:
    """A transaction is retried only if no condition failed, because only then can a retry have another outcome."""
    reasons = [{} if code is None else {"Code": code} for code in codes]
    error = classify_error(response(CANCELLED, CancellationReasons=reasons))
    assert type(error) is kind
    if isinstance(error, Cancelled):
        assert error.reasons == reasons
        assert error.was_refused is ("ConditionalCheckFailed" in codes)


def test_missing_details_are_empty() -> None:
    """An error without details contains no item and no reasons."""
    assert ConditionFailed("c", "m", {}).item == {}
    assert ConditionFailed("c", "m", {"Item": None}).item == {}
    assert ConditionFailed("c", "m", {"Item": {"a": {"S": "b"}}}).item == {"a": {"S": "b"}}
    assert Cancelled("c", "m", {}).reasons == []
    assert not Cancelled("c", "m", {}).was_refused


@pytest.mark.parametrize(
    ("patience", "unavailable", "throttled", "conflict"), [(FAIL_FAST, 2, 1, 6), (PERSISTENT, 3, 6, 12)]
)
def test_number_of_tries_matches_the_failure(
    patience: RetryPolicy, unavailable: int, throttled: int, conflict: int
) -> None:
    """The number of tries depends on the failure and on the retry policy.

    An admission is tried once if throttled, six times after a conflict, and twice if DynamoDB doesn't respond.
    """
    for kind, tries in (
        (Unreachable, unavailable),
        (Throttled, throttled),
        (Contended, conflict),
        (CredentialsRejected, 2),
    ):
        assert call_failing_with([kind] * 20, patience) == (tries, kind)


def call_failing_with(
    failures: list[type[DynamoDBError]], patience: RetryPolicy
) -> tuple[int, type[DynamoDBError] | None]:
    """Send a call that always fails with this error; return how often it was sent, and the final error."""
    sent = 0

    def send(_operation: str, _body: dynamodb.Json) -> dynamodb.Json:
        nonlocal sent
        sent += 1
        if sent <= len(failures):
            raise failures[sent - 1]("Code", "m", {})
        return {}

    with dynamodb.use_sender(send), clock.use_sleep(lambda _seconds: None):
        try:
            dynamodb.call("GetItem", {"TableName": "t"}, patience)
        except DynamoDBError as error:
            return sent, type(error)
    return sent, None


@pytest.mark.parametrize(
    ("failures", "patience", "sent", "end"),
    [
        ([], FAIL_FAST, 1, None),
        ([Unreachable], FAIL_FAST, 2, None),
        ([Contended] * 5, FAIL_FAST, 6, None),
        ([Contended, Unreachable, Contended, CredentialsRejected, Contended], FAIL_FAST, 6, None),
        ([Unreachable, Contended, Unreachable], FAIL_FAST, 3, Unreachable),
        ([Throttled] * 5 + [Unreachable] * 2, PERSISTENT, 8, None),
        ([ConditionFailed], PERSISTENT, 1, ConditionFailed),
        ([Cancelled], PERSISTENT, 1, Cancelled),
        ([DynamoDBError], PERSISTENT, 1, DynamoDBError),
    ],
)
def test_each_kind_of_failure_is_counted_separately(
    failures: list[type[DynamoDBError]], patience: RetryPolicy, sent: int, end: type[DynamoDBError] | None
) -> None:
    """Tries are counted separately for each type of failure; a failed condition isn't retried."""
    assert call_failing_with(failures, patience) == (sent, end)


def test_default_policy_is_persistent() -> None:
    """The default policy retries longer than an admission's, because a revocation must not fail."""
    tries = 0

    def send(_operation: str, _body: dynamodb.Json) -> dynamodb.Json:
        nonlocal tries
        tries += 1
        raise Throttled("Code", "m", {})

    with dynamodb.use_sender(send), clock.use_sleep(lambda _seconds: None), pytest.raises(Throttled):
        dynamodb.call("GetItem", {"TableName": "t"})
    assert tries == PERSISTENT.throttled


def test_pauses_double_from_40_to_640_milliseconds() -> None:
    """The maximum pauses double from 40 to 640 ms; a random jitter spreads concurrent retries."""
    longest = [0.0] * 8
    for _ in range(200):
        pauses: list[float] = []
        with clock.use_sleep(pauses.append):
            for times in range(1, 9):
                dynamodb._back_off(times)
        longest = [max(pair) for pair in zip(longest, pauses, strict=True)]
        assert min(pauses) >= 0
    bounds = [0.04, 0.08, 0.16, 0.32, 0.64, 0.64, 0.64, 0.64]
    assert all(bound / 1.5 < most <= bound for most, bound in zip(longest, bounds, strict=True))


def test_pauses_grow_with_every_try() -> None:
    """There is a pause before every try except the first, and its maximum doubles with each try."""
    pauses: list[float] = []

    def send(_operation: str, _body: dynamodb.Json) -> dynamodb.Json:
        raise Contended("Code", "m", {})

    with dynamodb.use_sender(send), clock.use_sleep(pauses.append), pytest.raises(Contended):
        dynamodb.call("GetItem", {"TableName": "t"}, FAIL_FAST)
    assert len(pauses) == FAIL_FAST.conflict - 1
    assert all(pause <= 0.02 * 2**times for times, pause in enumerate(pauses, 1))


def test_transaction_keeps_one_token_through_all_tries() -> None:
    """All tries of a transaction send the same client request token."""
    bodies: list[dynamodb.Json] = []

    def send(_operation: str, body: dynamodb.Json) -> dynamodb.Json:
        bodies.append(dict(body))
        if len(bodies) == 1:
            raise Unreachable("Code", "m", {})
        return {}

    request: dynamodb.Json = {"TransactItems": []}
    with dynamodb.use_sender(send), clock.use_sleep(lambda _seconds: None):
        dynamodb.call("TransactWriteItems", request)
        dynamodb.call("TransactWriteItems", request)
        dynamodb.call("TransactWriteItems", request | {"ClientRequestToken": "mine"})
        dynamodb.call("PutItem", {"TableName": "t"})
    first, again, second, given, put = bodies
    assert first == again
    assert len(first["ClientRequestToken"]) == len(second["ClientRequestToken"]) == 32, "DynamoDB accepts at most 36"
    assert first["ClientRequestToken"] != second["ClientRequestToken"]
    assert given["ClientRequestToken"] == "mine"
    assert put == {"TableName": "t"}
    assert request == {"TransactItems": []}


@pytest.mark.parametrize("kind", [Throttled, Contended, Unreachable])
def test_outage_is_found_in_the_exception_chain(kind: type[DynamoDBError]) -> None:
    """An outage is detected anywhere in the chain of an exception's causes and contexts."""
    cause = kind("Code", "m", {})
    raised, handled = ValueError("raised from it"), ValueError("while it was handled")
    raised.__cause__ = cause
    handled.__context__ = raised
    assert is_outage(cause)
    assert is_outage(raised)
    assert is_outage(handled)


@pytest.mark.parametrize(
    "error", [None, ValueError("mine"), ConditionFailed("c", "m", {}), CredentialsRejected("c", "m", {})]
)
def test_other_failures_are_no_outage(error: BaseException | None) -> None:
    """A failure that a retry can't change is not an outage."""
    assert is_outage(error) is False
