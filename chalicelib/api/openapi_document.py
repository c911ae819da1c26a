"""/openapi.json: the OpenAPI 3.1 document of the API, generated from the routes."""

import json
from hashlib import sha256

from chalice.app import Response

from chalicelib.api import client_address
from chalicelib.api.openapi.document import document
from chalicelib.api.request_context import RequestContext
from chalicelib.api.schema.description import ResponseSpec, described
from chalicelib.api.schema.shapes import Anything
from chalicelib.core import http_syntax

CACHED_S = 300
KEPT = ("Cache-Control", "ETag")
DOCUMENT = ResponseSpec(Anything("The document, OpenAPI 3.1."), "The document.", KEPT)
UNCHANGED = ResponseSpec(description="Not modified since the ETag.", headers=KEPT)


@described({200: DOCUMENT, 304: UNCHANGED})
def show_openapi(context: RequestContext) -> Response:
    """Return the OpenAPI 3.1 document of this API."""
    text = json.dumps(document(context.routes, client_address.base_url(context.request)), ensure_ascii=False)
    etag = f'"{sha256(text.encode()).hexdigest()[:16]}"'
    headers: dict[str, str | list[str]] = {
        "Content-Type": "application/json",
        "Cache-Control": f"public, max-age={CACHED_S}",
        "ETag": etag,
    }
    known = http_syntax.members(client_address.joined(context.request, "if-none-match"))
    # Weak comparison (RFC 9110 §13.1.2), because a proxy that compresses the response makes its ETag weak.
    if {"*", etag, f"W/{etag}"} & set(known):
        return Response("", headers=headers, status_code=304)
    return Response(text, headers=headers)
