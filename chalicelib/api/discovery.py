"""/.well-known: what clients can find out by themselves."""

from typing import Any
from urllib.parse import urlsplit

from chalice.app import Blueprint, Response

from chalicelib.api import visitor
from chalicelib.api.edge import Exchange, Rules, route_with
from chalicelib.core import errors

CACHED_S = 3_600
PUBLIC = Rules(cross_origin=True)

blueprint = Blueprint(__name__)


def authorization_server(exchange: Exchange) -> Response:
    """Describe the authorization server (RFC 8414)."""
    from chalicelib.oauth import discovery

    return _described(discovery.server(visitor.base_url(exchange.request)))


def authorization_server_of_path(exchange: Exchange, path: str) -> Response:
    """Describe the authorization server of an issuer with a path, the path put last (RFC 8414 §3.1)."""
    issuer = visitor.base_url(exchange.request)
    if urlsplit(issuer).path != f"/{path}":
        raise errors.NotFound("There is no such issuer.")
    return authorization_server(exchange)


def protected_resource(exchange: Exchange) -> Response:
    """Describe this API as a resource (RFC 9728)."""
    from chalicelib.oauth import discovery

    issuer = visitor.base_url(exchange.request)
    return _described(discovery.protected_resource(issuer, issuer))


def protected_resource_of_path(exchange: Exchange, path: str) -> Response:
    """Describe a part of this API as a resource (RFC 9728 §3.1)."""
    from chalicelib.oauth import discovery

    issuer = visitor.base_url(exchange.request)
    if path != "v1":
        raise errors.NotFound("There is no such resource.")
    return _described(discovery.protected_resource(f"{issuer}/{path}", issuer))


for place, view in (
    ("oauth-authorization-server", authorization_server),
    ("oauth-authorization-server/{path}", authorization_server_of_path),
    ("oauth-protected-resource", protected_resource),
    ("oauth-protected-resource/{path}", protected_resource_of_path),
):
    route_with(blueprint, f"/.well-known/{place}", methods=["GET"], rules=PUBLIC)(view)


def _described(metadata: dict[str, Any]) -> Response:
    headers: dict[str, str | list[str]] = {
        "Content-Type": "application/json",
        "Cache-Control": f"public, max-age={CACHED_S}",
    }
    return Response(metadata, headers=headers)
