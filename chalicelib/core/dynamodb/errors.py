"""Typed DynamoDB errors: a failed condition, throttling, contention, or no response."""

from typing import Any

_THROTTLED = frozenset(
    {"ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded", "ThrottlingError"}
)
_NOT_ACCEPTED = frozenset(
    {
        *("InvalidSignatureException", "RequestTimeTooSkewed", "RequestExpired", "RequestTimeTooSkewedException"),
        *("ExpiredTokenException", "ExpiredToken", "UnrecognizedClientException", "InvalidClientTokenId"),
        *("IncompleteSignatureException", "SignatureDoesNotMatch", "MissingAuthenticationTokenException"),
    }
)
_CONFLICT = frozenset({"TransactionConflictException", "TransactionInProgressException"})


class DynamoDBError(Exception):
    """A DynamoDB call failed. `code` is DynamoDB's error code, and `response` is the parsed error response."""

    is_fault = False
    """Whether DynamoDB itself failed. False means that it rejected the call."""

    def __init__(self, code: str, message: str, response: dict[str, Any]) -> None:
        """Store the parsed response, for callers that need its details."""
        super().__init__(f"{code}: {message}")
        self.code = code
        self.response = response


class ConditionFailed(DynamoDBError):
    """The condition of a write failed. If the call requested it, `item` is the item that failed the condition."""

    @property
    def item(self) -> dict[str, Any]:
        """Return the item that failed the condition, or {} if there was none."""
        return self.response.get("Item") or {}


class Cancelled(DynamoDBError):
    """A transaction was cancelled, for example because one of its conditions failed."""

    @property
    def reasons(self) -> list[dict[str, Any]]:
        """Return the reason for each write of the transaction.

        A reason contains `Code`, which is `None` if the write didn't fail, and the `Item` if the write requested it.
        """
        reasons: list[dict[str, Any]] = self.response.get("CancellationReasons", [])
        return reasons

    @property
    def was_refused(self) -> bool:
        """Return whether the transaction was cancelled because a condition failed."""
        return any(reason.get("Code") == "ConditionalCheckFailed" for reason in self.reasons)


class Throttled(DynamoDBError):
    """The table or partition has no capacity for this call."""


class Contended(DynamoDBError):
    """Another transaction was writing an item of this call at the same time."""


class CredentialsRejected(DynamoDBError):
    """DynamoDB rejected the signature or the credentials, so nothing was executed.

    This can happen when a function is frozen between signing and sending: it resumes with an outdated signature or
    expired credentials. The next try is signed again.
    """


class Unreachable(DynamoDBError):
    """DynamoDB didn't respond, or responded with a 5xx status. A write may or may not have been executed."""

    is_fault = True


def is_outage(error: BaseException | None) -> bool:
    """Return whether `error` or one of its causes means that DynamoDB is temporarily unavailable, so that a retry may
    help.
    """
    while error is not None:
        if isinstance(error, Throttled | Contended | Unreachable):
            return True
        error = error.__cause__ or error.__context__
    return False


def classify_error(response: Any) -> DynamoDBError:
    """Return the typed error for an error response in botocore's format."""
    code = response.get("Error", {}).get("Code", "")
    message = response.get("Error", {}).get("Message", "")
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    kind: type[DynamoDBError] = DynamoDBError
    if code == "ConditionalCheckFailedException":
        kind = ConditionFailed
    elif code in _THROTTLED:
        kind = Throttled
    elif code in _CONFLICT or _only_contended(response):
        kind = Contended
    elif code == "TransactionCanceledException":
        kind = Cancelled
    elif code in _NOT_ACCEPTED:
        kind = CredentialsRejected
    elif status >= 500 or code == "InternalServerError":
        kind = Unreachable
    return kind(code, message, response)


def _only_contended(response: Any) -> bool:
    """Return whether a transaction was cancelled only by contention or throttling, so that a retry may succeed."""
    codes = {reason.get("Code") for reason in response.get("CancellationReasons", ())} - {"None", None}
    return bool(codes) and codes <= {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}
