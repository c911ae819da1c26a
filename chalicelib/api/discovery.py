"""/.well-known: what clients can find out by themselves."""

from typing import Any
from urllib.parse import urlsplit

from chalice.app import Blueprint, Response

from chalicelib.api import client_address
from chalicelib.api.declared import Answer, Declared
from chalicelib.api.fields import Text
from chalicelib.api.oauth_shapes import AUTHORIZATION_SERVER, PROTECTED_RESOURCE
from chalicelib.api.request_context import Exchange
from chalicelib.api.routing import Rules, route_with
from chalicelib.core import errors

CACHED_S = 3_600
PUBLIC = Rules(cross_origin=True)

blueprint = Blueprint(__name__)


def authorization_server(exchange: Exchange) -> Response:
    """Describe the authorization server (RFC 8414)."""
    from chalicelib.oauth import discovery

    return _described(discovery.server(client_address.base_url(exchange.request)))


def authorization_server_of_path(exchange: Exchange, path: str) -> Response:
    """Describe the authorization server of an issuer with a path, the path put last (RFC 8414 §3.1)."""
    issuer = client_address.base_url(exchange.request)
    if urlsplit(issuer).path != f"/{path}":
        raise errors.NotFound("There is no such issuer.")
    return authorization_server(exchange)


def protected_resource(exchange: Exchange) -> Response:
    """Describe this API as a resource (RFC 9728)."""
    from chalicelib.oauth import discovery

    issuer = client_address.base_url(exchange.request)
    return _described(discovery.protected_resource(issuer, issuer))


def protected_resource_of_path(exchange: Exchange, path: str) -> Response:
    """Describe a part of this API as a resource (RFC 9728 §3.1)."""
    from chalicelib.oauth import discovery

    issuer = client_address.base_url(exchange.request)
    if path != "v1":
        raise errors.NotFound("There is no such resource.")
    return _described(discovery.protected_resource(f"{issuer}/{path}", issuer))


PATH = {"path": Text(most=100, about="The path of the issuer, or of the resource: `v1`.", example="v1")}

for place, view, shape in (
    ("oauth-authorization-server", authorization_server, AUTHORIZATION_SERVER),
    ("oauth-authorization-server/{path}", authorization_server_of_path, AUTHORIZATION_SERVER),
    ("oauth-protected-resource", protected_resource, PROTECTED_RESOURCE),
    ("oauth-protected-resource/{path}", protected_resource_of_path, PROTECTED_RESOURCE),
):
    declared = Declared(path=PATH if "{" in place else {}, gives={200: Answer(shape, headers=("Cache-Control",))})
    route_with(blueprint, f"/.well-known/{place}", methods=["GET"], rules=PUBLIC, declared=declared)(view)


def _described(metadata: dict[str, Any]) -> Response:
    headers: dict[str, str | list[str]] = {
        "Content-Type": "application/json",
        "Cache-Control": f"public, max-age={CACHED_S}",
    }
    return Response(metadata, headers=headers)
