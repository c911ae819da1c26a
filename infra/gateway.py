"""Define API Gateway's gateway responses, which it sends without calling Latchkey, for deployments and local runs.

A request that API Gateway itself responds to isn't counted, so the limit headers of its response are 0, 0, 0. The
responses include the CORS headers, because without them a page would see a network error instead of a 401.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.api import www_authenticate
from chalicelib.api.authorizer import EXPLANATION, IDENTITY, REFUSAL
from chalicelib.api.responses import ALLOWED_TO_REPEAT, cross_origin
from chalicelib.core import settings
from chalicelib.core.errors import MissingApiKey, NotFound, RateLimited
from chalicelib.limits.headers import NO_LIMITS
from infra import gateway_pages

EXTENSION = "x-amazon-apigateway-gateway-responses"
AUTHORIZER_EXTENSION = "x-amazon-apigateway-authorizer"
ANY_METHOD = "x-amazon-apigateway-any-method"
"""The key in the API document for all methods that a path doesn't list."""
_CONTEXT_ERROR = f"$context.authorizer.{REFUSAL}"
_CONTEXT_MESSAGE = f"$context.authorizer.{EXPLANATION}"
_DEFAULT_MESSAGE = "$context.error.messageString"
"""API Gateway's variable for the default message; its value includes quotes."""
_UNKNOWN_ROUTE = "There is nothing at this path."


@dataclass(frozen=True, slots=True)
class GatewayResponse:
    """A gateway response of one type. If `status` is None, API Gateway keeps the original status."""

    error: str
    message: str
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    challenge: dict[str, str] | None = None
    """The parameters of the WWW-Authenticate challenge besides the metadata URL; None for no challenge."""

    @property
    def body(self) -> str:
        """Return the template of the body, which contains API Gateway's variables."""
        message = self.message if self.message == _DEFAULT_MESSAGE else json.dumps(self.message)
        return f'{{"error":{json.dumps(self.error)},"message":{message}}}'


_BUSY = RateLimited(1)

RESPONSES = {
    "UNAUTHORIZED": GatewayResponse(MissingApiKey.error, MissingApiKey.documented, 401, challenge={}),
    "ACCESS_DENIED": GatewayResponse(_CONTEXT_ERROR, _CONTEXT_MESSAGE, 401, challenge=www_authenticate.INVALID_TOKEN),
    # API Gateway sends two types for unknown routes, because it parses an Authorization header as a SigV4 signature.
    "MISSING_AUTHENTICATION_TOKEN": GatewayResponse(NotFound.error, _UNKNOWN_ROUTE, 404),
    "INVALID_SIGNATURE": GatewayResponse(NotFound.error, _UNKNOWN_ROUTE, 404),
    # API Gateway sends this type if the mock integration for unknown paths doesn't accept the body's media type.
    "UNSUPPORTED_MEDIA_TYPE": GatewayResponse(NotFound.error, _UNKNOWN_ROUTE, 404),
    "THROTTLED": GatewayResponse(_BUSY.error, _BUSY.message, 429, tuple(_BUSY.headers.items())),
    # A status here would override the status of every type that isn't listed.
    "DEFAULT_4XX": GatewayResponse("invalid_request", _DEFAULT_MESSAGE),
    "DEFAULT_5XX": GatewayResponse("internal_error", "Something went wrong on our side. Try again in a moment."),
}


def headers_of(response: GatewayResponse) -> dict[str, str]:
    """Return the headers of a gateway response, with API Gateway's variables."""
    for_pages = {**cross_origin(), "Access-Control-Allow-Headers": ALLOWED_TO_REPEAT}
    headers = {"Content-Type": "application/json", **NO_LIMITS, **for_pages, **dict(response.headers)}
    if response.challenge is not None:
        headers["WWW-Authenticate"] = www_authenticate.bearer(response.challenge, settings.current().public_url)
    return headers


def as_extension() -> dict[str, Any]:
    """Return all gateway responses in the format of the API document's extension."""
    return {
        kind: {
            **({"statusCode": str(response.status)} if response.status else {}),
            "responseParameters": {
                f"gatewayresponse.header.{name}": f"'{value}'" for name, value in headers_of(response).items()
            },
            "responseTemplates": {"application/json": response.body},
        }
        for kind, response in RESPONSES.items()
    }


def add_to(document: dict[str, Any]) -> None:
    """Add to Chalice's API document what Chalice can't express: gateway responses, the identity validation expression,
    and a 404 for every unknown path.
    """
    document[EXTENSION] = as_extension()
    for definition in document.get("securityDefinitions", {}).values():
        if AUTHORIZER_EXTENSION in definition:
            definition[AUTHORIZER_EXTENSION]["identityValidationExpression"] = IDENTITY
    # Also send a page to browsers that open a POST-only path or submit a form to a GET-only path. Paths below /v1
    # are for API clients only. Browsers use no other methods, and the template's size is limited.
    for path, methods in document["paths"].items():
        if sends_page(path, map(str.upper, methods)):
            methods[ANY_METHOD] = _not_found_method()
    document["paths"]["/{proxy+}"] = {ANY_METHOD: _not_found_method()}


def sends_page(path: str, methods: Iterable[str]) -> bool:
    """Return whether API Gateway responds with an HTML page to a method that a path lacks."""
    return not path.startswith("/v1/") and not {"GET", "POST"} <= set(methods)


def render(kind: str, *, status: int, context: Mapping[str, str], own_message: str) -> tuple[int, dict[str, str], str]:
    """Return status, headers and body of a gateway response, for the local gateway.

    `context` is the context that the authorizer returned; `own_message` and `status` are API Gateway's defaults.
    """
    response = RESPONSES[kind]
    body = response.body.replace(_DEFAULT_MESSAGE, json.dumps(own_message))
    for variable, name in ((_CONTEXT_ERROR, REFUSAL), (_CONTEXT_MESSAGE, EXPLANATION)):
        body = body.replace(variable, context.get(name, ""))
    return response.status or status, headers_of(response), body


def render_not_found(request_headers: Iterable[tuple[str, str]], stage: str) -> tuple[int, dict[str, str], str]:
    """Return the mock integration's response for an unknown path, for the local gateway."""
    return gateway_pages.render(_not_found_method()["x-amazon-apigateway-integration"], request_headers, stage)


def _not_found_method() -> dict[str, Any]:
    answer = RESPONSES["MISSING_AUTHENTICATION_TOKEN"]
    headers, status = headers_of(answer), gateway_pages.NOT_FOUND
    method: dict[str, Any] = {
        "produces": ["application/json", "text/html"],
        "responses": {status: gateway_pages.declared("not found", headers)},
        "x-amazon-apigateway-integration": {
            "type": "mock",
            "passthroughBehavior": "when_no_templates",
            "responses": {"default": gateway_pages.response(status, headers, {"application/json": answer.body})},
        },
    }
    gateway_pages.add_to(method, NO_LIMITS)
    return method
