"""/openapi.json: the reference for programs, made from the routes themselves.

Light until asked.
"""

import json
from hashlib import sha256

from chalice.app import Blueprint, Response

from chalicelib.api import client_address
from chalicelib.api.declared import Answer, Declared
from chalicelib.api.request_context import Exchange
from chalicelib.api.routing import Rules, route_with
from chalicelib.api.shapes import Anything
from chalicelib.core import http_syntax

CACHED_S = 300
KEPT = ("Cache-Control", "ETag")
DOCUMENT = Answer(Anything("The document, OpenAPI 3.1."), "The document.", KEPT)
UNCHANGED = Answer(about="Nothing has changed since it was fetched with this ETag.", headers=KEPT)

DECLARED = Declared(gives={200: DOCUMENT, 304: UNCHANGED})
PUBLIC = Rules(cross_origin=True)

blueprint = Blueprint(__name__)


def show_openapi(exchange: Exchange) -> Response:
    """Describe this API for programs, in OpenAPI 3.1."""
    from chalicelib.api.reference.document import document

    text = json.dumps(document(exchange.routes, client_address.base_url(exchange.request)), ensure_ascii=False)
    etag = f'"{sha256(text.encode()).hexdigest()[:16]}"'
    headers: dict[str, str | list[str]] = {
        "Content-Type": "application/json",
        "Cache-Control": f"public, max-age={CACHED_S}",
        "ETag": etag,
    }
    known = http_syntax.members(client_address.joined(exchange.request, "if-none-match"))
    # Compared weakly (RFC 9110 §13.1.2): who compresses an answer on its way makes its tag a weak one.
    if {"*", etag, f"W/{etag}"} & set(known):
        return Response("", headers=headers, status_code=304)
    return Response(text, headers=headers)


route_with(blueprint, "/openapi.json", methods=["GET"], rules=PUBLIC, declared=DECLARED)(show_openapi)
