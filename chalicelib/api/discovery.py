"""/.well-known: metadata of the authorization server, and of this API as a protected resource."""

from typing import Any
from urllib.parse import urlsplit

from chalice.app import Response

from chalicelib.api import client_address
from chalicelib.api.oauth_shapes import AUTHORIZATION_SERVER, PROTECTED_RESOURCE
from chalicelib.api.request_context import RequestContext
from chalicelib.api.schema.description import ResponseSpec, described
from chalicelib.api.schema.fields import Text
from chalicelib.core import errors
from chalicelib.oauth import discovery

CACHED_S = 3_600
PATH = {"path": Text(max_length=100, description="The path of the issuer, or of the resource: `v1`.", example="v1")}
SERVER = ResponseSpec(AUTHORIZATION_SERVER, headers=("Cache-Control",))
RESOURCE = ResponseSpec(PROTECTED_RESOURCE, headers=("Cache-Control",))


@described({200: SERVER})
def authorization_server(context: RequestContext) -> Response:
    """Return the metadata of the authorization server (RFC 8414)."""
    return _to_response(discovery.server_metadata(client_address.base_url(context.request)))


@described({200: SERVER}, path=PATH)
def authorization_server_of_path(context: RequestContext, path: str) -> Response:
    """Return the metadata of the authorization server for an issuer URL that has a path (RFC 8414 §3.1)."""
    issuer = client_address.base_url(context.request)
    if urlsplit(issuer).path != f"/{path}":
        raise errors.NotFound("There is no such issuer.")
    return authorization_server(context)


@described({200: RESOURCE})
def protected_resource(context: RequestContext) -> Response:
    """Return the metadata of this API as a protected resource (RFC 9728)."""
    issuer = client_address.base_url(context.request)
    return _to_response(discovery.resource_metadata(issuer, issuer))


@described({200: RESOURCE}, path=PATH)
def protected_resource_of_path(context: RequestContext, path: str) -> Response:
    """Return the metadata of one path of this API as a protected resource (RFC 9728 §3.1)."""
    issuer = client_address.base_url(context.request)
    if path != "v1":
        raise errors.NotFound("There is no such resource.")
    return _to_response(discovery.resource_metadata(f"{issuer}/{path}", issuer))


def _to_response(metadata: dict[str, Any]) -> Response:
    headers: dict[str, str | list[str]] = {
        "Content-Type": "application/json",
        "Cache-Control": f"public, max-age={CACHED_S}",
    }
    return Response(metadata, headers=headers)
