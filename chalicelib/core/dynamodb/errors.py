"""DynamoDB's errors by what they mean: a failed condition, throttling, contention, or no answer at all."""

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


class WireError(Exception):
    """DynamoDB refused a call: its own `code`, and the parsed `response`."""

    is_fault = False
    """Whether DynamoDB failed, rather than refused."""

    def __init__(self, code: str, message: str, response: dict[str, Any]) -> None:
        """Keep the parsed answer for whoever must know more than the class says."""
        super().__init__(f"{code}: {message}")
        self.code = code
        self.response = response


class ConditionFailed(WireError):
    """The condition didn't hold; `item` is the item as it stood, when it was asked for."""

    @property
    def item(self) -> dict[str, Any]:
        """Return the attributes the condition was judged on, or {} when there was no item."""
        return self.response.get("Item") or {}


class Cancelled(WireError):
    """A transaction happened not at all: at least one of its conditions didn't hold."""

    @property
    def reasons(self) -> list[dict[str, Any]]:
        """Return why, write by write: `Code` (`None`: nothing against it) and, if it was asked for, `Item`."""
        reasons: list[dict[str, Any]] = self.response.get("CancellationReasons", [])
        return reasons

    @property
    def was_refused(self) -> bool:
        """Tell whether a condition of it didn't hold, rather than something having gone wrong."""
        return any(reason.get("Code") == "ConditionalCheckFailed" for reason in self.reasons)


class Throttled(WireError):
    """The table or partition has no capacity for this call."""


class Contended(WireError):
    """Another transaction held an item of this call."""


class NotAccepted(WireError):
    """The signature, its time or its credentials weren't accepted: nothing was done.

    A function that was frozen between signing and sending wakes up with a signature that is too old, or with
    credentials that have ended: the next try is signed anew.
    """


class Unreachable(WireError):
    """No answer: a timeout, a broken connection or a 5xx. A write may or may not have happened."""

    is_fault = True


def is_outage(error: BaseException | None) -> bool:
    """Tell whether an exception, or what it came from, is DynamoDB not answering in time: worth asking again later."""
    while error is not None:
        if isinstance(error, Throttled | Contended | Unreachable):
            return True
        error = error.__cause__ or error.__context__
    return False


def meaning(response: Any) -> WireError:
    """Return the error that an answer in botocore's form stands for."""
    code = response.get("Error", {}).get("Code", "")
    message = response.get("Error", {}).get("Message", "")
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    kind: type[WireError] = WireError
    if code == "ConditionalCheckFailedException":
        kind = ConditionFailed
    elif code in _THROTTLED:
        kind = Throttled
    elif code in _CONFLICT or _only_contended(response):
        kind = Contended
    elif code == "TransactionCanceledException":
        kind = Cancelled
    elif code in _NOT_ACCEPTED:
        kind = NotAccepted
    elif status >= 500 or code == "InternalServerError":
        kind = Unreachable
    return kind(code, message, response)


def _only_contended(response: Any) -> bool:
    """A cancelled transaction is worth repeating when no condition of it failed: only then can its outcome change."""
    codes = {reason.get("Code") for reason in response.get("CancellationReasons", ())} - {"None", None}
    return bool(codes) and codes <= {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}
