"""Build the responses that API Gateway sends: from a function's result, or a gateway response of `infra/gateway.py`."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infra import gateway

RENAMED = {"www-authenticate": "x-amzn-Remapped-WWW-Authenticate"}
"""Headers that API Gateway renames on responses from Lambda."""

Headers = list[tuple[str, str]]


@dataclass(slots=True)
class Response:
    """An HTTP response."""

    status: int
    headers: Headers
    body: bytes

    def header(self, name: str) -> str | None:
        """Return the first header of this name, in any letter case."""
        return next((value for header, value in self.headers if header.lower() == name.lower()), None)

    def json(self) -> Any:
        """Return the body, parsed."""
        return json.loads(self.body)


class GatewayError(Exception):
    """API Gateway rejects the request with a gateway response; `kind` is the type of this response."""

    def __init__(self, kind: str, status: int, message: str, context: Mapping[str, str] | None = None) -> None:
        """Store API Gateway's default message and the authorizer's context."""
        super().__init__(message)
        self.kind, self.status, self.message, self.context = kind, status, message, context or {}


def error_response(error: GatewayError) -> Response:
    """Return the gateway response to an error."""
    status, fixed, text = gateway.render(
        error.kind, status=error.status, context=error.context, own_message=error.message
    )
    return Response(status, list(fixed.items()), text.encode())


def lambda_response(result: dict[str, Any]) -> Response:
    """Return the response that a function's result describes."""
    headers: Headers = [(name, str(value)) for name, value in (result["headers"] or {}).items()]
    for name, values in (result.get("multiValueHeaders") or {}).items():
        headers.extend((name, value) for value in values)
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("Content-Type", "application/json"))
    body = result["body"] or ""
    raw = base64.b64decode(body) if result.get("isBase64Encoded") else _as_bytes(body)
    return Response(result["statusCode"], [(RENAMED.get(name.lower(), name), value) for name, value in headers], raw)


def without_body(response: Response) -> Response:
    """Return the response to HEAD, with the function's own Content-Length if it set one."""
    if response.status not in (204, 304) and response.header("Content-Length") is None:
        response.headers.append(("Content-Length", str(len(response.body))))
    response.body = b""
    return response


def _as_bytes(body: str | bytes) -> bytes:
    return body if isinstance(body, bytes) else body.encode()
