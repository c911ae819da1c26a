"""The OpenAPI 3.1 document, generated from the routes and the descriptions of their views.

/openapi.json returns it, /docs shows it as a page, and docs/rest-api.md is generated from it.
"""

from collections.abc import Iterator
from typing import Any

from chalicelib.api.openapi import error_responses
from chalicelib.api.openapi.operations import GRANTABLE, operation, security
from chalicelib.api.openapi.routes import DocumentedRoute, documented, operation_ids
from chalicelib.api.request_context import Routes
from chalicelib.api.schema.shapes import Kind, Shape, shapes_in
from chalicelib.credentials import scopes
from chalicelib.events import kinds
from chalicelib.limits import tiers

Schema = dict[str, Any]

OPENAPI = "3.1.1"
VERSION = "1.0.0"
"""The version of the API. Its major version is in the paths, as /v1."""

INTRODUCTION = """\
JSON in and out, over HTTPS. Send an API key or an access token as `Authorization: Bearer …`; its scopes say
what it may do.

Every response reports what is left of your account's limits, in `X-RateLimit-Limit`, `X-RateLimit-Remaining` and
`X-RateLimit-Reset`. An error is `{"error": …, "message": …}`: the code is stable, the message may be reworded.

HEAD works wherever GET does. A method that a path doesn't have is a 404, as an unknown path is.
A body over 10 MB gets a 413, too many headers a 431.
"""

HEADERS = {
    "X-RateLimit-Limit": ("The quota of this clock hour, or the burst limit where there is no quota.", 1_000),
    "X-RateLimit-Remaining": ("Remaining requests.", 999),
    "X-RateLimit-Reset": ("The epoch second at which it resets.", 1_640_000_000),
    "RateLimit-Policy": ("Every limit, as draft-ietf-httpapi-ratelimit-headers-11 writes it.", '"hour";q=1000;w=3600'),
    "RateLimit": ("The remainder of each limit, and the seconds until it resets.", '"hour";r=999;t=3600'),
    "Retry-After": ("Seconds to wait before retrying.", 1),
    "Link": ("The next page; absent on the last.", '<https://api.latchkey.test/v1/keys?cursor=…>; rel="next"'),
    "Location": ("The URL of what was created.", "https://api.latchkey.test/v1/keys/key_0V5kqWn4Zr8TfYb2LcXd"),
    "Idempotency-Replayed": ("`true` if this is the stored response to the same request.", "true"),
    "Cache-Control": ("Whether the response may be cached.", "no-store"),
    "ETag": ("The value to send as If-None-Match, for a 304 if nothing has changed.", '"9f2c"'),
    "WWW-Authenticate": (
        "The error and the resource metadata (RFC 6750 §3); a route's is `x-amzn-Remapped-WWW-Authenticate`.",
        'Bearer error="invalid_token"',
    ),
}
ALWAYS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")


def document(routes: Routes, base_url: str) -> Schema:
    """Return the document for the routes of an app, with `base_url` as the server."""
    found = documented(routes)
    shapes = {shape.name: shape.component() for route in found for shape in _shapes_of(route)}
    paths: Schema = {}
    for route, operation_id in operation_ids(found):
        paths.setdefault(route.route.path, {})[route.route.method.lower()] = operation(route, operation_id, shapes)
    return {
        "openapi": OPENAPI,
        "info": _info(base_url),
        "servers": [{"url": base_url}],
        "tags": [{"name": name, "description": about} for name, about in _tags(found).items()],
        "paths": paths,
        "components": {
            "securitySchemes": _security_schemes(found, base_url),
            "headers": _headers(found),
            "responses": {
                error_responses.name_of(route, status): error_responses.component(route, status)
                for route in found
                for status in error_responses.statuses_of(route)
            },
            "schemas": dict(sorted(shapes.items())),
        },
        "x-errors": error_responses.table(),
        "x-scopes": [{"scope": scope, "about": scopes.DESCRIPTIONS[scope]} for scope in scopes.ALL],
        "x-event-types": [{"type": kind, "about": words} for kind, words in kinds.OF_ACCOUNT.items()],
        "x-tiers": [{"tier": tier.name, "quota": tier.quota, "burst": tier.burst} for tier in tiers.OF_ACCOUNTS],
    }


def _info(base_url: str) -> Schema:
    return {
        "title": "Latchkey",
        "version": VERSION,
        "summary": "API keys, OAuth 2.1 and exact rate limits in front of an HTTP API.",
        "description": INTRODUCTION,
        "contact": {"name": "The console", "url": f"{base_url}/"},
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    }


def _tags(found: list[DocumentedRoute]) -> dict[str, str]:
    return {route.tag: route.tag_description for route in found}


def _shapes_of(route: DocumentedRoute) -> Iterator[Shape]:
    specs = route.description.responses.values()
    kinds: list[Kind] = [spec.shape for spec in specs if spec.shape is not None]
    for kind in (*kinds, route.description.error_shape):
        yield from shapes_in(kind)


def _headers(found: list[DocumentedRoute]) -> Schema:
    """Return the definition of every header that a response can have."""
    used = {header for route in found for spec in route.description.responses.values() for header in spec.headers}
    used |= {"Idempotency-Replayed" for route in found if route.route.idempotency}
    for route in found:
        for status in error_responses.statuses_of(route):
            used |= error_responses.component(route, status)["headers"].keys()
    return {name: _header(name) for name in HEADERS if name in used}


def _header(name: str) -> Schema:
    about, example = HEADERS[name]
    kind = "integer" if isinstance(example, int) else "string"
    return {
        "description": about,
        "required": name in ALWAYS,
        "schema": {"type": kind, **({"minimum": 0} if kind == "integer" else {})},
        "example": example,
    }


def _security_schemes(found: list[DocumentedRoute], base_url: str) -> Schema:
    allowed = {scope: scopes.DESCRIPTIONS[scope] for scope in GRANTABLE}
    token_url = f"{base_url}/oauth/token"
    flows = {
        "authorizationCode": {
            "authorizationUrl": f"{base_url}/oauth/authorize",
            "tokenUrl": token_url,
            "refreshUrl": token_url,
            "scopes": allowed,
        },
        "clientCredentials": {"tokenUrl": token_url, "scopes": allowed},
    }
    schemes = {
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "An API key from *Settings > API Keys*, or an access token.",
        },
        "oauth": {
            "type": "oauth2",
            "description": "An access token that a resource owner has granted.",
            "flows": flows,
        },
        "client": {
            "type": "http",
            "scheme": "basic",
            "description": "An OAuth client's id and secret; both may be sent in the body instead.",
        },
        "registration": {
            "type": "http",
            "scheme": "bearer",
            "description": "The registration access token of a client that registered itself.",
        },
        "initial": {
            "type": "http",
            "scheme": "bearer",
            "description": "The initial access token, if the operator requires one to register clients.",
        },
        "github": {
            "type": "apiKey",
            "in": "header",
            "name": "Github-Public-Key-Signature",
            "description": "GitHub's signature over the body; `Github-Public-Key-Identifier` names the key.",
        },
        "sender": {
            "type": "apiKey",
            "in": "header",
            "name": "Latchkey-Signature",
            "description": "The HMAC by a sender with the shared secret, at `Latchkey-Timestamp`.",
        },
    }
    used = {name for route in found for choice in security(route) for name in choice}
    return {name: scheme for name, scheme in schemes.items() if name in used}
