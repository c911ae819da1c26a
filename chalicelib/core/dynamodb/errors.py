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
    """A DynamoDB call failed: its error `code`, and the parsed `response`."""

    is_fault = False
    """Whether DynamoDB itself failed, instead of rejecting the call."""

    def __init__(self, code: str, message: str, response: dict[str, Any]) -> None:
        """Keep the parsed response for callers that need its details."""
        super().__init__(f"{code}: {message}")
        self.code = code
        self.response = response


class ConditionFailed(DynamoDBError):
    """The condition failed. `item` is the item at that moment, if the call requested it."""

    @property
    def item(self) -> dict[str, Any]:
        """Return the item that failed the condition, or {} if there was none."""
        return self.response.get("Item") or {}


class Cancelled(DynamoDBError):
    """A transaction was cancelled, because at least one of its conditions failed."""

    @property
    def reasons(self) -> list[dict[str, Any]]:
        """Return the reason for each write: `Code` (`None`: no failure) and, if requested, `Item`."""
        reasons: list[dict[str, Any]] = self.response.get("CancellationReasons", [])
        return reasons

    @property
    def was_refused(self) -> bool:
        """Return whether a condition failed, and not anything else."""
        return any(reason.get("Code") == "ConditionalCheckFailed" for reason in self.reasons)


class Throttled(DynamoDBError):
    """The table or partition has no capacity for this call."""


class Contended(DynamoDBError):
    """Another transaction held an item of this call."""


class CredentialsRejected(DynamoDBError):
    """The signature, its time or its credentials were rejected, so nothing was executed.

    A function that was frozen between signing and sending resumes with an outdated signature or expired credentials.
    The next try is signed again.
    """


class Unreachable(DynamoDBError):
    """No response: a timeout, a broken connection or a 5xx. A write may or may not have been executed."""

    is_fault = True


def is_outage(error: BaseException | None) -> bool:
    """Return whether an exception or one of its causes means that DynamoDB is unavailable, so that a retry may help."""
    while error is not None:
        if isinstance(error, Throttled | Contended | Unreachable):
            return True
        error = error.__cause__ or error.__context__
    return False


def classify_error(response: Any) -> DynamoDBError:
    """Return the typed error for an error response in botocore's form."""
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
    """Return whether a transaction failed without a failed condition. Only then can a retry have another outcome."""
    codes = {reason.get("Code") for reason in response.get("CancellationReasons", ())} - {"None", None}
    return bool(codes) and codes <= {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}
