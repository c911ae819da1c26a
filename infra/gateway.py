"""What the gateway answers by itself, before our code: once here, applied by `deploy`, `package` and `local`.

Nothing counted such a request, so its limit headers are the allowance of nobody. It carries the cross-origin headers
too: without them a page would see a network error instead of a 401.
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
from chalicelib.limits.headers import NOBODY
from infra import gateway_pages

EXTENSION = "x-amazon-apigateway-gateway-responses"
AUTHORIZER_EXTENSION = "x-amazon-apigateway-authorizer"
ANY_METHOD = "x-amazon-apigateway-any-method"
"""Every method of a path that the document doesn't spell out."""
_CONTEXT_ERROR = f"$context.authorizer.{REFUSAL}"
_CONTEXT_MESSAGE = f"$context.authorizer.{EXPLANATION}"
_GATEWAYS_OWN_MESSAGE = "$context.error.messageString"
"""API Gateway puts this one in with quotes around it."""
_UNKNOWN_ROUTE = "There is nothing at this path."


@dataclass(frozen=True, slots=True)
class GatewayResponse:
    """One kind of answer. Without a `status` the gateway keeps the one it had."""

    error: str
    message: str
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    challenge: dict[str, str] | None = None
    """What its challenge says beside the metadata; None for an answer that has none."""

    @property
    def body(self) -> str:
        """Return the body, with API Gateway's variables still in it."""
        message = self.message if self.message == _GATEWAYS_OWN_MESSAGE else json.dumps(self.message)
        return f'{{"error":{json.dumps(self.error)},"message":{message}}}'


_BUSY = RateLimited(1)

RESPONSES = {
    "UNAUTHORIZED": GatewayResponse(MissingApiKey.error, MissingApiKey.documented, 401, challenge={}),
    "ACCESS_DENIED": GatewayResponse(_CONTEXT_ERROR, _CONTEXT_MESSAGE, 401, challenge=www_authenticate.INVALID_TOKEN),
    # An unknown route: without, and with, an Authorization header that the gateway takes for AWS's own.
    "MISSING_AUTHENTICATION_TOKEN": GatewayResponse(NotFound.error, _UNKNOWN_ROUTE, 404),
    "INVALID_SIGNATURE": GatewayResponse(NotFound.error, _UNKNOWN_ROUTE, 404),
    # A body that isn't JSON where there is nothing: the mock that answers there would refuse it for its type first.
    "UNSUPPORTED_MEDIA_TYPE": GatewayResponse(NotFound.error, _UNKNOWN_ROUTE, 404),
    "THROTTLED": GatewayResponse(_BUSY.error, _BUSY.message, 429, tuple(_BUSY.headers.items())),
    # No status: it would override that of every kind not named here.
    "DEFAULT_4XX": GatewayResponse("invalid_request", _GATEWAYS_OWN_MESSAGE),
    "DEFAULT_5XX": GatewayResponse("internal_error", "Something went wrong on our side. Try again in a moment."),
}


def headers_of(response: GatewayResponse) -> dict[str, str]:
    """Return the headers of one kind of answer."""
    for_pages = {**cross_origin(), "Access-Control-Allow-Headers": ALLOWED_TO_REPEAT}
    headers = {"Content-Type": "application/json", **NOBODY, **for_pages, **dict(response.headers)}
    if response.challenge is not None:
        headers["WWW-Authenticate"] = www_authenticate.bearer(response.challenge, settings.current().public_url)
    return headers


def in_document() -> dict[str, Any]:
    """Return all of them as the API document's extension."""
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
    """Add to Chalice's API document what Chalice can't say: these answers, what a Bearer header must look like, and a
    404 for every path there isn't.
    """
    document[EXTENSION] = in_document()
    for definition in document.get("securityDefinitions", {}).values():
        if AUTHORIZER_EXTENSION in definition:
            definition[AUTHORIZER_EXTENSION]["identityValidationExpression"] = IDENTITY
    # Whoever opens what only takes a POST, or sends a form to what takes none, sees a page, too; below /v1 there are
    # programs only. A person's browser asks with nothing else, and a template has room for so much.
    for path, methods in document["paths"].items():
        if answers_people(path, map(str.upper, methods)):
            methods[ANY_METHOD] = _nothing_here()
    document["paths"]["/{proxy+}"] = {ANY_METHOD: _nothing_here()}


def answers_people(path: str, methods: Iterable[str]) -> bool:
    """Return whether the gateway answers people itself where they ask a path with a method that it doesn't have."""
    return not path.startswith("/v1/") and not {"GET", "POST"} <= set(methods)


def rendered(
    kind: str, *, status: int, context: Mapping[str, str], own_message: str
) -> tuple[int, dict[str, str], str]:
    """Return status, headers and body as the gateway would send them, for the stand-in gateway.

    `context` is the authorizer's, `own_message` what the gateway itself would say, `status` what it would send.
    """
    response = RESPONSES[kind]
    body = response.body.replace(_GATEWAYS_OWN_MESSAGE, json.dumps(own_message))
    for variable, name in ((_CONTEXT_ERROR, REFUSAL), (_CONTEXT_MESSAGE, EXPLANATION)):
        body = body.replace(variable, context.get(name, ""))
    return response.status or status, headers_of(response), body


def rendered_nothing(asked: Iterable[tuple[str, str]], stage: str) -> tuple[int, dict[str, str], str]:
    """Return the answer of the mock at a path there isn't, for the stand-in gateway; `asked` are request headers."""
    return gateway_pages.rendered(_nothing_here()["x-amazon-apigateway-integration"], asked, stage)


def _nothing_here() -> dict[str, Any]:
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
    gateway_pages.add_to(method, NOBODY)
    return method
