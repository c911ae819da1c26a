"""Every refusal a caller can meet: a status, a stable documented `error`, and a `message` that is safe for strangers.

What helps the operator is logged, never sent.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self


class LatchkeyError(Exception):
    """A refusal that becomes an answer: `{"error": …, "message": …}` with `status` and `headers`."""

    status = 500
    error = "internal_error"
    field = ""
    """The field of a form that it is about, for pages; "" when it is about no field in particular."""

    def __init__(self, message: str, headers: dict[str, str] | None = None) -> None:
        """Say in `message` what was wrong and what to do; `headers` go out with the answer."""
        super().__init__(message)
        self.message = message
        self.headers = headers or {}

    def about(self, field: str) -> Self:
        """Return the error itself, now about a `field`."""
        self.field = field
        return self


class InvalidRequest(LatchkeyError):
    """A malformed body or parameter; the message names the field."""

    status, error = 400, "invalid_request"


class Unauthorized(LatchkeyError):
    """No usable credential. The middleware adds the challenge (RFC 6750 §3), since it knows the URL of the request."""

    status = 401

    def __init__(self) -> None:
        """Take the documented message; a 401 tells a stranger no more than that."""
        super().__init__(self.documented)

    documented = ""


class MissingApiKey(Unauthorized):
    """No Bearer credential came with the request."""

    error = "missing_api_key"
    documented = "No API key provided in the Authorization header."


class InvalidApiKey(Unauthorized):
    """Malformed, unknown, revoked, or of a suspended account: a stranger learns nothing more."""

    error = "invalid_api_key"
    documented = "The API key provided is invalid."


class TokenExpired(Unauthorized):
    """An access token or key past its end."""

    error = "token_expired"
    documented = "The access token has expired."


class InsufficientScope(LatchkeyError):
    """The credential is good but may not do this (RFC 6750 §3.1)."""

    status, error = 403, "insufficient_scope"

    def __init__(self, scope: str) -> None:
        """Name the `scope` that is needed."""
        super().__init__(f"This request needs a credential with the scope {scope}.")
        self.scope = scope


class NotFound(LatchkeyError):
    """An unknown id, or someone else's: the two look alike."""

    status, error = 404, "not_found"


class MethodNotAllowed(LatchkeyError):
    """A known path, asked with a method it doesn't have."""

    status, error = 405, "method_not_allowed"


class UnsupportedMediaType(LatchkeyError):
    """A body in a form this route doesn't read."""

    status, error = 415, "unsupported_media_type"


class Conflict(LatchkeyError):
    """A claim that exists, or a limit on how many may exist."""

    status, error = 409, "conflict"


class RequestInProgress(Conflict):
    """A request with this Idempotency-Key runs at this moment; ask again for its answer."""

    error = "request_in_progress"

    def __init__(self) -> None:
        """Say when to ask again."""
        super().__init__(
            "A request with this Idempotency-Key is running. Send it again in a moment for its answer.",
            {"Retry-After": "1"},
        )


class IdempotencyKeyReused(LatchkeyError):
    """The Idempotency-Key was used for another request: each needs a key of its own."""

    status, error = 422, "idempotency_key_reused"

    def __init__(self) -> None:
        """Say what to do."""
        super().__init__("This Idempotency-Key was used with another body. Use a new key for a new request.")


class RateLimited(LatchkeyError):
    """The quota or the burst is spent."""

    status, error = 429, "rate_limit_exceeded"

    def __init__(self, retry_after_s: int) -> None:
        """Say in how many whole seconds the next request can succeed."""
        super().__init__(
            f"Rate limit exceeded. Try again in {retry_after_s} seconds.", {"Retry-After": str(retry_after_s)}
        )
        self.retry_after_s = retry_after_s


class InternalError(LatchkeyError):
    """A fault of ours; the request id is what the caller can quote to the owner."""

    def __init__(self, request_id: str) -> None:
        """Quote `request_id`."""
        super().__init__(f"Something went wrong on our side. Quote this request id: {request_id}.")


class Unavailable(LatchkeyError):
    """The database didn't answer; asking again is safe."""

    status, error = 503, "unavailable"

    def __init__(self, message: str = "The service can't reach its database. Try again in a moment.") -> None:
        """Say what to do in `message`."""
        super().__init__(message, {"Retry-After": "1"})


@contextmanager
def about(field: str) -> Iterator[None]:
    """Let what is refused in a `with` block be about a `field`, whatever it was about before."""
    try:
        yield
    except LatchkeyError as error:
        error.about(field)
        raise
