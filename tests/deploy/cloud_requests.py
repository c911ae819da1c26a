"""Requests to the emulated AWS: their region, account and name, and error responses."""

import json
import re
from collections.abc import Callable
from typing import Any

from tests.deploy.stack_template import form_of

REGION = "us-east-1"
Environ = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], object]
_ASKS = re.compile(r"(Get|List|Describe|Head|BatchGet|Query)[A-Z]|GetItem$")


def scope_of(environ: Environ) -> tuple[str, str]:
    """Return the service and the region for which a request was signed."""
    found = re.search(r"Credential=[^/]+/\d+/([^/]+)/([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
    return (found[2], found[1]) if found else ("", REGION)


def name_of_call(environ: Environ, body: bytes) -> str:
    """Return the name of a call: the action if the protocol has one, and otherwise method and path."""
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if target:
        return str(target).rpartition(".")[2]
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        return form_of(body)["Action"]
    return f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"


def is_change(environ: Environ, called: str) -> bool:
    return environ["REQUEST_METHOD"] != "GET" and not _ASKS.match(called)


def error_body(
    start_response: StartResponse, code: str, message: str, service: str, status: str = "400 Bad Request"
) -> list[bytes]:
    """Return an error response in the protocol of the service."""
    if service in ("cloudformation", "iam", "sns", "sts"):
        error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
        start_response(status, [("Content-Type", "text/xml")])
        return [f"<ErrorResponse>{error}<RequestId>1</RequestId></ErrorResponse>".encode()]
    start_response(status, [("x-amzn-ErrorType", code)])
    return [json.dumps({"__type": code, "message": message, "Message": message}).encode()]


def page_of_resources(listed: dict[str, Any], asked: dict[str, str]) -> dict[str, Any]:
    items = sorted(listed["item"], key=lambda each: str(each["path"]), reverse=True)
    start, limit = int(asked.get("position", 0)), int(asked.get("limit", 25))
    more = {"position": str(start + limit)} if start + limit < len(items) else {}
    return {"item": items[start : start + limit], **more}


def rate_of(body: bytes) -> int:
    """Return the throttling rate (requests per second) that a request sets for a stage, or 0 if it sets none."""
    found = re.search(rb'"path": ?"/\*/\*/throttling/rateLimit", ?"value": ?"(\d+)"', body)
    return int(found[1]) if found else 0


def to_openapi_3(document: dict[str, Any]) -> dict[str, Any]:
    """Return a Swagger 2 document as OpenAPI 3, as far as moto reads it; moto requires a URI for mock integrations."""
    del document["swagger"]
    document["openapi"] = "3.0.1"
    document["info"].setdefault("description", "")
    for operations in document["paths"].values():
        if "x-amazon-apigateway-any-method" in operations:
            operations["any"] = operations.pop("x-amazon-apigateway-any-method")
        for operation in operations.values():
            integration = operation["x-amazon-apigateway-integration"]
            if integration["type"] == "mock":
                integration |= {"uri": "mock", "httpMethod": "POST"}
    return document
