"""Responses of the authorization server: uncached JSON, and errors in OAuth's form (RFC 6749 §5.1 and §5.2)."""

from typing import Any

from chalice.app import Response

from chalicelib.api.request_context import RequestContext
from chalicelib.core import errors


def error_response(error: errors.LatchkeyError, _context: RequestContext) -> Response:
    """Return an error in OAuth's form; a limit keeps its own message beside it."""
    body = {"error": error.error, "error_description": error.message}
    if isinstance(error, errors.RateLimited):
        body["message"] = error.message
    return uncached(body, status=error.status, headers=error.headers)


def uncached(body: dict[str, Any], *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return JSON that no cache may keep (RFC 6749 §5.1)."""
    fixed = {"Content-Type": "application/json", "Cache-Control": "no-store", "Pragma": "no-cache"}
    return Response(body, status_code=status, headers={**fixed, **(headers or {})})
