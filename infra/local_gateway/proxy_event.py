"""Derive parts of the Lambda proxy event from a request, and check API Gateway's size limits for requests."""

import base64
from collections.abc import Iterable
from urllib.parse import parse_qsl, urlsplit

from chalicelib.core import http_syntax
from infra.local_gateway.response import GatewayError, Headers

BODY_MAX_BYTES = 10 * 1024 * 1024
TOO_LONG = "Request Too Long"
HEADERS_MAX_BYTES = 10_240


def check_size(headers: Headers, body: bytes) -> None:
    """Raise GatewayError 413 or 431 when the body or the headers are too large."""
    if len(body) > BODY_MAX_BYTES:
        raise GatewayError("DEFAULT_4XX", 413, TOO_LONG)
    if sum(len(name) + len(value) for name, value in headers) > HEADERS_MAX_BYTES:
        raise GatewayError("DEFAULT_4XX", 431, "Request Header Fields Too Large")


def split_target(target: str) -> tuple[str, Headers]:
    """Return the path of a request target and the parameters of its query."""
    url = urlsplit(f"//gateway{target}" if target.startswith("/") else target)
    return url.path or "/", parse_qsl(url.query, keep_blank_values=True)


def encode_body(headers: Headers, body: bytes, binary_types: Iterable[str]) -> tuple[str | None, bool]:
    """Return the event's body, and whether it is base64-encoded. Only bodies whose media type is binary are encoded."""
    if not body:
        return None, False
    kind = {name.lower(): value for name, value in headers}.get("content-type", "")
    if http_syntax.media_type(kind) in binary_types:
        return base64.b64encode(body).decode(), True
    return body.decode("utf-8", "replace"), False


def group(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return the list of values for each name, in the order of the request."""
    groups: dict[str, list[str]] = {}
    for name, value in pairs:
        groups.setdefault(name, []).append(value)
    return groups
