"""The errors of the API. Each has a status, a documented stable `error`, and a `message` that any caller may read.

Details for the operator are logged, never sent.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self


class LatchkeyError(Exception):
    """An error that is sent as a response, `{"error": …, "message": …}`, with its `status` and `headers`."""

    status = 500
    error = "internal_error"
    field = ""
    """The name of the form field that caused the error, so that a page can show it there; "" if there is no single
    field.
    """

    def __init__(self, message: str, headers: dict[str, str] | None = None) -> None:
        """Set `message`, which says what was wrong and what to do, and `headers`, which are added to the response."""
        super().__init__(message)
        self.message = message
        self.headers = headers or {}

    def about(self, field: str) -> Self:
        """Set the `field` and return this error."""
        self.field = field
        return self


class InvalidRequest(LatchkeyError):
    """A malformed body or parameter; the message names the field."""

    status, error = 400, "invalid_request"


class Unauthorized(LatchkeyError):
    """The request has no valid credential.

    The middleware adds the WWW-Authenticate challenge (RFC 6750 §3), because only the middleware knows the request's
    URL.
    """

    status = 401

    def __init__(self) -> None:
        """Set the documented message. A 401 response reveals nothing else."""
        super().__init__(self.documented)

    documented = ""


class MissingApiKey(Unauthorized):
    """The request has no Bearer credential."""

    error = "missing_api_key"
    documented = "No API key provided in the Authorization header."


class InvalidApiKey(Unauthorized):
    """The key is malformed, unknown, revoked, or its account is suspended; the response doesn't reveal which."""

    error = "invalid_api_key"
    documented = "The API key provided is invalid."


class TokenExpired(Unauthorized):
    """The access token or key has expired."""

    error = "token_expired"
    documented = "The access token has expired."


class InsufficientScope(LatchkeyError):
    """The credential is valid, but lacks a scope (RFC 6750 §3.1)."""

    status, error = 403, "insufficient_scope"

    def __init__(self, scope: str, role: str = "") -> None:
        """Set the message, which names the required `scope`, and the user's `role` if this doesn't allow the scope."""
        because = f" The role {role} doesn't allow it." if role else ""
        super().__init__(f"This request needs a credential with the scope {scope}.{because}")
        self.scope = scope


class InsufficientRole(LatchkeyError):
    """The user's role in the account doesn't allow the request."""

    status, error = 403, "insufficient_role"

    def __init__(self, role: str) -> None:
        """Set the message, which names the least `role` that allows the request."""
        super().__init__(f"This needs the role {role} in the account. Ask an owner or admin of the account.")


class NotFound(LatchkeyError):
    """The id is unknown or belongs to another account; the response doesn't reveal which."""

    status, error = 404, "not_found"


class MethodNotAllowed(LatchkeyError):
    """The path exists, but doesn't support the method."""

    status, error = 405, "method_not_allowed"


class UnsupportedMediaType(LatchkeyError):
    """The route doesn't accept the media type of the body."""

    status, error = 415, "unsupported_media_type"


class Conflict(LatchkeyError):
    """The request conflicts with the current state: for example, the resource exists already or a limit is reached."""

    status, error = 409, "conflict"


class RequestInProgress(Conflict):
    """A request with this Idempotency-Key is in progress; a retry gets its response."""

    error = "request_in_progress"

    def __init__(self) -> None:
        """Set Retry-After."""
        super().__init__(
            "A request with this Idempotency-Key is in progress. Retry in a moment to get its response.",
            {"Retry-After": "1"},
        )


class IdempotencyKeyReused(LatchkeyError):
    """The Idempotency-Key was used with a different request."""

    status, error = 422, "idempotency_key_reused"

    def __init__(self) -> None:
        """Set the message."""
        super().__init__("This Idempotency-Key was used with a different body. Use a new key for a new request.")


class RateLimited(LatchkeyError):
    """The hourly quota or the burst limit is exhausted."""

    status, error = 429, "rate_limit_exceeded"

    def __init__(self, retry_after_s: int) -> None:
        """Set the message and Retry-After, the number of whole seconds after which a request can succeed."""
        super().__init__(
            f"Rate limit exceeded. Try again in {retry_after_s} seconds.", {"Retry-After": str(retry_after_s)}
        )
        self.retry_after_s = retry_after_s


class InternalError(LatchkeyError):
    """An internal error; the caller can quote the request id to the operator."""

    def __init__(self, request_id: str) -> None:
        """Set the message, which contains `request_id`."""
        super().__init__(f"Something went wrong on our side. Quote this request id: {request_id}.")


class Unavailable(LatchkeyError):
    """The database is unavailable; the request may be retried."""

    status, error = 503, "unavailable"

    def __init__(self, message: str = "The service can't reach its database. Try again in a moment.") -> None:
        """Set the message and Retry-After."""
        super().__init__(message, {"Retry-After": "1"})


@contextmanager
def about(field: str) -> Iterator[None]:
    """Set the `field` of each error raised in a `with` block. A field that is already set is replaced."""
    try:
        yield
    except LatchkeyError as error:
        error.about(field)
        raise
