"""Responses of the authorization server: JSON that isn't cached, and OAuth errors (RFC 6749 §5.1, §5.2)."""

from typing import Any

from chalice.app import Response

from chalicelib.api.request_context import RequestContext
from chalicelib.core import errors


def error_response(error: errors.LatchkeyError, _context: RequestContext) -> Response:
    """Return an error as RFC 6749 §5.2 requires. A rate limit error also contains `message`, as in the API's own
    format.
    """
    body = {"error": error.error, "error_description": error.message}
    if isinstance(error, errors.RateLimited):
        body["message"] = error.message
    return uncached(body, status=error.status, headers=error.headers)


def uncached(body: dict[str, Any], *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a JSON response that caches must not store (RFC 6749 §5.1)."""
    fixed = {"Content-Type": "application/json", "Cache-Control": "no-store", "Pragma": "no-cache"}
    return Response(body, status_code=status, headers={**fixed, **(headers or {})})
