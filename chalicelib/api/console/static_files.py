"""Serve static files. Their names contain a hash of their content, so a browser may cache them for a year."""

from chalice.app import Response

from chalicelib.api.request_context import RequestContext
from chalicelib.core import errors
from chalicelib.pages import assets


def static(exchange: RequestContext, name: str) -> Response:
    """Serve a static file."""
    found = assets.find(name)
    if found is None:
        raise errors.NotFound("There is no such file.")
    headers: dict[str, str | list[str]] = {
        "Content-Type": found[0],
        "Cache-Control": "public, max-age=31536000, immutable",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(found[1], headers=headers)
