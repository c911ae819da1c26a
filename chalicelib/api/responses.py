"""The format of every response: JSON, one format for errors, and headers for cross-origin requests."""

from collections.abc import Iterable
from typing import Any

from chalice.app import Response

from chalicelib.core import errors, settings
from chalicelib.limits import headers as limit_headers

EXPOSED = ",".join(
    (
        *limit_headers.NAMES,
        *("Link", "Location", "ETag", "Idempotency-Replayed"),
        # API Gateway's own responses contain WWW-Authenticate. In the app's responses API Gateway renames that header
        # to x-amzn-Remapped-WWW-Authenticate.
        *("WWW-Authenticate", "x-amzn-Remapped-WWW-Authenticate", "x-amzn-RequestId"),
    )
)
"""Response headers that pages of other origins may read."""
_SENT = (
    *("Authorization", "Content-Type", "Accept", "If-None-Match"),
    # MCP clients send these headers with every request, even for public documents and for tokens.
    *("MCP-Protocol-Version", "Mcp-Session-Id", "Mcp-Method", "Mcp-Name", "Last-Event-ID"),
    # Wrappers of `fetch` and tracing libraries add these headers to every request of a page.
    *("X-Requested-With", "traceparent", "tracestate", "baggage"),
)
ALLOWED = ",".join(_SENT)
"""Request headers that pages of other origins may send."""
ALLOWED_TO_REPEAT = ",".join((*_SENT[:3], "Idempotency-Key", *_SENT[3:]))
"""Request headers that pages of other origins may send to routes that honour an Idempotency-Key."""


def of(body: Any) -> Response:
    """Return the response for a view's result: a Response unchanged, any other value as JSON with the status 200."""
    if isinstance(body, Response):
        body.headers.setdefault("Content-Type", "application/json")
        return body
    return Response(body, headers={"Content-Type": "application/json"})


def created(body: dict[str, Any], location: str) -> Response:
    """Return a 201 response for a new resource, whose URL is `location`."""
    return Response(body, status_code=201, headers={"Location": location, "Cache-Control": "no-store"})


def no_content() -> Response:
    """Return a 204 response."""
    return Response("", status_code=204)


def without_body(response: Response) -> Response:
    """Return the response to a HEAD request: the headers and the length of the GET response (RFC 9110 §9.3.2)."""
    body = response.to_dict()["body"]
    headers = dict(response.headers)
    if response.status_code not in (204, 304):
        headers["Content-Length"] = str(len(body if isinstance(body, bytes) else body.encode()))
    return Response("", status_code=response.status_code, headers=headers)


def error_response(error: errors.LatchkeyError) -> Response:
    """Return an error in the documented JSON format."""
    headers: dict[str, str | list[str]] = {"Content-Type": "application/json", **error.headers}
    return Response({"error": error.error, "message": error.message}, status_code=error.status, headers=headers)


def of_chalice(response: Response, takes: Iterable[str], request_id: str) -> errors.LatchkeyError | None:
    """Convert an error response of Chalice itself to an error of this API; return None for any other response.

    `takes` are the accepted media types, if the route was registered without `routing.register`.
    """
    body = response.body
    if not (isinstance(body, dict) and body.keys() == {"Code", "Message"}):
        return None
    if response.status_code == 405:
        allowed = str(response.headers.get("Allow", ""))
        return errors.MethodNotAllowed(f"This path takes {allowed} only.", {"Allow": allowed})
    if response.status_code == 415:
        return unsupported(takes)
    if response.status_code < 500:
        return errors.InvalidRequest(str(body["Message"]))
    return errors.InternalError(request_id)


def unsupported(takes: Iterable[str]) -> errors.UnsupportedMediaType:
    """Return the error for a body with a media type that the route doesn't consume."""
    form = "as JSON, with" if list(takes) == ["application/json"] else "with"
    return errors.UnsupportedMediaType(f"Send the body {form} Content-Type: {' or '.join(takes)}.")


def cross_origin() -> dict[str, str]:
    """Return the headers that let pages of the allowed origin read a response to a request without cookies."""
    origin = settings.current().allowed_origin
    vary = {} if origin == "*" else {"Vary": "Origin"}
    return {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": EXPOSED, **vary}


def preflight(allowed: str) -> dict[str, str]:
    """Return the headers of a preflight response."""
    return {**cross_origin(), "Access-Control-Allow-Headers": allowed, "Access-Control-Max-Age": "600"}
