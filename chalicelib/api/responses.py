"""The form of every answer: JSON, one shape of error, headers that let pages of another origin read it."""

from collections.abc import Iterable
from typing import Any

from chalice.app import Response

from chalicelib.core import errors, settings
from chalicelib.limits import headers as limit_headers

EXPOSED = ",".join(
    (
        *limit_headers.NAMES,
        *("Link", "Location", "ETag", "Idempotency-Replayed"),
        # The gateway's own answers have the first; it renames that of ours.
        *("WWW-Authenticate", "x-amzn-Remapped-WWW-Authenticate", "x-amzn-RequestId"),
    )
)
"""What a page of another origin may read of an answer besides its body: every header that we send."""
_SENT = (
    *("Authorization", "Content-Type", "Accept", "If-None-Match"),
    # MCP's clients, which also fetch the public documents and ask for tokens.
    *("MCP-Protocol-Version", "Mcp-Session-Id", "Mcp-Method", "Mcp-Name", "Last-Event-ID"),
    # What fetch wrappers and tracing put on every request that a page makes.
    *("X-Requested-With", "traceparent", "tracestate", "baggage"),
)
ALLOWED = ",".join(_SENT)
"""What a page of another origin may send: what we read, and what clients send without asking."""
ALLOWED_TO_REPEAT = ",".join((*_SENT[:3], "Idempotency-Key", *_SENT[3:]))
"""The same where a request may name itself, so that it happens once however often it is sent."""


def of(body: Any) -> Response:
    """Return what a view returned as a Response: 200 and JSON, unless it is a Response already."""
    if isinstance(body, Response):
        body.headers.setdefault("Content-Type", "application/json")
        return body
    return Response(body, headers={"Content-Type": "application/json"})


def created(body: dict[str, Any], location: str) -> Response:
    """Return 201 for something new that lives at `location`."""
    return Response(body, status_code=201, headers={"Location": location, "Cache-Control": "no-store"})


def no_content() -> Response:
    """Return 204."""
    return Response("", status_code=204)


def without_body(response: Response) -> Response:
    """Return an answer to HEAD: that of GET, its length included, with nothing in it (RFC 9110 §9.3.2)."""
    body = response.to_dict()["body"]
    headers = dict(response.headers)
    if response.status_code not in (204, 304):
        headers["Content-Length"] = str(len(body if isinstance(body, bytes) else body.encode()))
    return Response("", status_code=response.status_code, headers=headers)


def error_response(error: errors.LatchkeyError) -> Response:
    """Return the documented answer to a refusal."""
    headers: dict[str, str | list[str]] = {"Content-Type": "application/json", **error.headers}
    return Response({"error": error.error, "message": error.message}, status_code=error.status, headers=headers)


def of_chalice(response: Response, takes: Iterable[str], request_id: str) -> errors.LatchkeyError | None:
    """Return what Chalice refused by itself as a refusal of ours, None for every other answer.

    `takes` are the media types of a route that isn't registered by the middleware.
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
    """Return the refusal of a body that has none of the media types that a route takes."""
    form = "as JSON, with" if list(takes) == ["application/json"] else "with"
    return errors.UnsupportedMediaType(f"Send the body {form} Content-Type: {' or '.join(takes)}.")


def cross_origin() -> dict[str, str]:
    """Return the headers that let a page of the allowed origin read an answer (no cookies are ever involved)."""
    origin = settings.current().allowed_origin
    vary = {} if origin == "*" else {"Vary": "Origin"}
    return {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": EXPOSED, **vary}


def preflight(allowed: str) -> dict[str, str]:
    """Return the headers that answer a browser which asks whether a page may send what it wants to."""
    return {**cross_origin(), "Access-Control-Allow-Headers": allowed, "Access-Control-Max-Age": "600"}
