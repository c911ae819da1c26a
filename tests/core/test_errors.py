"""The API's errors have the status, code and message of the contract."""

import re
from pathlib import Path

import pytest

from chalicelib.core import errors
from chalicelib.core.errors import LatchkeyError

CONTRACT = (Path(__file__).parents[2] / "docs/authentication.md").read_text()
BASE = "Something went wrong on our side. Quote this request id: YOUR_REQUEST_ID."
EVERY = [
    (errors.InvalidRequest("m"), 400, "invalid_request", "m", {}),
    (
        errors.MissingApiKey(),
        401,
        "missing_api_key",
        "No API key provided in the Authorization header.",
        {},
    ),
    (errors.InvalidApiKey(), 401, "invalid_api_key", "The API key provided is invalid.", {}),
    (errors.TokenExpired(), 401, "token_expired", "The access token has expired.", {}),
    (
        errors.InsufficientScope("write"),
        403,
        "insufficient_scope",
        "This request needs a credential with the scope write.",
        {},
    ),
    (errors.NotFound("m"), 404, "not_found", "m", {}),
    (errors.MethodNotAllowed("m", {"Allow": "GET"}), 405, "method_not_allowed", "m", {"Allow": "GET"}),
    (errors.Conflict("m"), 409, "conflict", "m", {}),
    (
        errors.RequestInProgress(),
        409,
        "request_in_progress",
        "A request with this Idempotency-Key is in progress. Retry in a moment to get its response.",
        {"Retry-After": "1"},
    ),
    (errors.UnsupportedMediaType("m"), 415, "unsupported_media_type", "m", {}),
    (
        errors.IdempotencyKeyReused(),
        422,
        "idempotency_key_reused",
        "This Idempotency-Key was used with a different body. Use a new key for a new request.",
        {},
    ),
    (
        errors.RateLimited(3600),
        429,
        "rate_limit_exceeded",
        "Rate limit exceeded. Try again in 3600 seconds.",
        {"Retry-After": "3600"},
    ),
    (errors.InternalError("YOUR_REQUEST_ID"), 500, "internal_error", BASE, {}),
    (
        errors.Unavailable(),
        503,
        "unavailable",
        "The service can't reach its database. Try again in a moment.",
        {"Retry-After": "1"},
    ),
]


@pytest.mark.parametrize(
    ("error", "status", "code", "message", "headers"), EVERY, ids=[type(case[0]).__name__ for case in EVERY]
)
def test_error_matches_the_contract(
    error: LatchkeyError, status: int, code: str, message: str, headers: dict[str, str]
) -> None:
    """Status, code and message are those of the documentation, and `str` returns the message."""
    assert (error.status, error.error, error.message, error.headers) == (status, code, message, headers)
    assert str(error) == message
    assert re.search(rf"^\| {status}[ ,][^|]*\| `{code}` \|", CONTRACT, re.MULTILINE)


def test_errors_carry_their_details() -> None:
    """Errors store details that code reads, such as the time to retry, the missing scope or the field."""
    assert errors.RateLimited(7).retry_after_s == 7
    assert errors.InsufficientScope("keys").scope == "keys"
    assert errors.Unavailable("Later.").message == "Later."
    assert errors.InvalidRequest("m").field == ""


def test_field_is_the_last_one_set() -> None:
    """The field of an error is the one that was set last, and is empty at first."""
    error = errors.InvalidRequest("m").about("email")
    assert isinstance(error, errors.InvalidRequest)
    assert error.field == "email"
    with pytest.raises(errors.InvalidRequest) as raised, errors.about("name"):
        raise error
    assert raised.value is error
    assert error.field == "name"
    assert errors.InvalidRequest("m").field == ""


def test_unrelated_exception_gets_no_field() -> None:
    """An exception that isn't an API error passes through unchanged, and gets no field."""
    with pytest.raises(ValueError, match=r"^fault$"), errors.about("name"):
        raise ValueError("fault")
    with errors.about("name"):
        pass
