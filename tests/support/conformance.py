"""Check that a response conforms to the declaration of its route: status, headers and body.

Stricter than the OpenAPI document, whose schemas allow additional fields: here an undeclared field is an error. The
check runs after every request that a test sends through the harness, and never in production.
"""

import json
from functools import lru_cache
from typing import Any

import jsonschema_rs
from chalice.app import Chalice

from chalicelib.api.openapi.document import document
from infra.local_gateway.gateway import Gateway
from infra.local_gateway.response import Response

BASE_URL = "https://api.latchkey.test"
OF_THE_GATEWAY = (413, 431)
"""Statuses that API Gateway sends before routing, which the introduction of the OpenAPI document lists."""


def check(gateway: Gateway, method: str, target: str, answer: Response) -> None:
    """Assert that the response of a documented route conforms to the route's declaration."""
    operation = _operation(gateway, method, target)
    if operation is None or answer.status in OF_THE_GATEWAY:
        return
    whole = _document(gateway.app)
    where = f"{method} {target}: {answer.status}"
    assert str(answer.status) in operation["responses"], f"{where} is not documented"
    response = _resolve(whole, operation["responses"][str(answer.status)])
    for name, header in response["headers"].items():
        there = answer.header(name) or answer.header(f"x-amzn-Remapped-{name}")
        assert there or not _resolve(whole, header)["required"], f"{where} lacks {name}"
    if "content" not in response:
        assert answer.body == b"", f"{where} has a body"
        return
    media = (answer.header("Content-Type") or "").partition(";")[0]
    assert media in response["content"], f"{where} is {media}"
    if media == "application/json":
        validator = _validator(gateway.app, json.dumps(response["content"][media]["schema"]))
        faults = [f"{fault.instance_path}: {fault.message}" for fault in validator.iter_errors(answer.json())]
        assert faults == [], f"{where}: {faults}"


def strict(schema: Any) -> Any:
    """Return a schema that forbids additional properties at every level."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: strict(each) for name, each in schema.items()}
    return {**closed, "additionalProperties": False} if "properties" in schema else closed


def _operation(gateway: Gateway, method: str, target: str) -> dict[str, Any] | None:
    try:
        route = gateway.routes.match_route(target.partition("?")[0]).route
    except ValueError:
        return None
    operation: dict[str, Any] | None = _document(gateway.app)["paths"].get(route, {}).get(method.lower())
    return operation


@lru_cache(maxsize=4)
def _document(app: Chalice) -> dict[str, Any]:
    return document(app.routes, BASE_URL)


@lru_cache(maxsize=256)
def _validator(app: Chalice, schema: str) -> Any:
    whole: dict[str, Any] = strict(_document(app)["components"])
    return jsonschema_rs.Draft202012Validator(
        {**strict(json.loads(schema)), "components": whole}, validate_formats=True
    )


def _resolve(whole: dict[str, Any], thing: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in thing:
        return thing
    for name in thing["$ref"].removeprefix("#/").split("/"):
        whole = whole[name]
    return whole
