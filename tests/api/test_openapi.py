"""The document /openapi.json describes every route, error, event, scope and limit, and nothing else."""

import json
import re
from dataclasses import replace
from typing import Any

import jsonschema_rs
import pytest
from chalice.app import Blueprint, Chalice
from openapi_spec_validator import validate

from app import app
from chalicelib.api import middleware, oauth_shapes, well_known
from chalicelib.api.openapi.document import document
from chalicelib.api.openapi.examples import example_of
from chalicelib.api.request_context import RequestContext
from chalicelib.api.routing import Route, register, route_of
from chalicelib.api.schema.fields import Enum, EnumList, Id, Integer, Text
from chalicelib.api.schema.shapes import AnyOf, Boolean, DateTime, ListOf, Nullable, Number, String, StringList
from chalicelib.core import errors
from chalicelib.credentials import scopes
from chalicelib.detection import github_signature, hmac_signature
from chalicelib.events import kinds
from chalicelib.limits import tiers
from chalicelib.oauth import clients
from infra.local_gateway.gateway import Gateway
from infra.local_gateway.response import Response
from infra.routes import of_latchkey
from tests.api.made import add_view
from tests.api.routes import ROUTES
from tests.support import conformance
from tests.support.harness import TestApp

URL = "https://api.latchkey.test"
WHOLE = document(app.routes, URL)
"""The document with an operator's own routes, which must be valid as a whole."""
OURS = document(of_latchkey(), URL)
"""The document of Latchkey's own routes, to which all other tests apply."""
OPERATIONS = [
    (f"{method} {path}", operation)
    for path, operations in OURS["paths"].items()
    for method, operation in operations.items()
]


def codes() -> set[str]:
    """Return every error code."""
    found, looked_at = set(), [errors.LatchkeyError]
    while looked_at:
        kind = looked_at.pop()
        looked_at += [each for each in kind.__subclasses__() if each.__module__ == errors.__name__]
        found.add(kind.error)
    return found


def test_document_is_served_to_anyone(latchkey: TestApp) -> None:
    """The document needs no key, is readable from every origin and may be cached."""
    response = latchkey.call("GET", "/openapi.json")
    assert (response.status, response.header("Content-Type")) == (200, "application/json")
    assert response.header("Cache-Control") == "public, max-age=300"
    assert response.header("Access-Control-Allow-Origin") == "*"
    assert response.json()["servers"] == [{"url": "https://api.example.com"}]


def test_document_with_a_matching_etag_is_a_304(latchkey: TestApp) -> None:
    """A request with a matching ETag gets a 304, and any other gets the document."""
    etag = latchkey.call("GET", "/openapi.json").header("ETag") or ""
    again = latchkey.call("GET", "/openapi.json", headers={"If-None-Match": etag})
    assert (again.status, again.body, again.header("ETag")) == (304, b"", etag)
    assert latchkey.call("GET", "/openapi.json", headers={"If-None-Match": '"other"'}).status == 200


def test_document_is_valid() -> None:
    """The document is valid according to OpenAPI 3.1."""
    validate(WHOLE)


def test_every_route_is_documented_with_its_scope() -> None:
    """The documented scope of each path is the one that the middleware requires."""
    documented = {
        (method.upper(), re.sub(r"{\w+}", "{id}", path), operation["x-required-scope"])
        for path, operations in OURS["paths"].items()
        for method, operation in operations.items()
        if "x-required-scope" in operation
    }
    assert documented == set(ROUTES)


def test_only_pages_and_well_known_paths_are_undocumented() -> None:
    """Only the console's pages and files, and fixed well-known paths, are undocumented."""
    undocumented = {
        route.view_name
        for entries in of_latchkey().values()
        for entry in entries.values()
        if not (route := route_of(entry)).is_documented
    }
    outside = {module for module, _name in undocumented if not module.startswith("chalicelib.api.console.")}
    assert outside == {well_known.__name__}


@pytest.mark.parametrize(("name", "operation"), OPERATIONS, ids=[name for name, _ in OPERATIONS])
def test_operation_is_described_completely(name: str, operation: dict[str, Any]) -> None:
    """Every operation has a summary, a response schema, and a description for every parameter and field."""
    assert operation["summary"]
    assert operation["description"].startswith(operation["summary"])
    assert any(status < "400" for status in operation["responses"])
    assert {"429", "500", "503"} <= operation["responses"].keys()
    for parameter in operation.get("parameters", []):
        assert parameter["description"], parameter
    for media in operation.get("requestBody", {}).get("content", {}).values():
        whole = media["schema"].get("items", media["schema"])
        for field, schema in whole["properties"].items():
            assert schema.get("description"), (name, field)


def test_every_error_code_is_documented() -> None:
    """Every error code is in the document's table of errors, and in an example."""
    assert {row["error"] for row in WHOLE["x-errors"]} == codes()
    assert all(row["about"] and row["status"] >= 400 for row in WHOLE["x-errors"])
    shown = {
        code
        for response in WHOLE["components"]["responses"].values()
        for code in response["content"]["application/json"]["examples"]
    }
    # No operation documents a 405, because API Gateway responds with a 404 before the app can respond with a 405.
    assert codes() - shown == {"method_not_allowed"}


def test_every_event_type_is_documented() -> None:
    """Every event type of an account is in the document's table of events, its schema and its filter."""
    assert {row["type"]: row["about"] for row in WHOLE["x-event-types"]} == kinds.OF_ACCOUNT
    assert WHOLE["components"]["schemas"]["Event"]["properties"]["type"]["enum"] == list(kinds.OF_ACCOUNT)
    assert all(
        value in kinds.LABELS for name, value in vars(kinds).items() if name.isupper() and isinstance(value, str)
    )


def test_every_scope_and_tier_is_documented() -> None:
    """Every scope is documented with its meaning, and every tier with its limits."""
    assert [row["scope"] for row in WHOLE["x-scopes"]] == list(scopes.ALL) == list(scopes.DESCRIPTIONS)
    assert [(row["tier"], row["quota"], row["burst"]) for row in WHOLE["x-tiers"]] == [
        (tier.name, tier.quota, tier.burst) for tier in tiers.OF_ACCOUNTS
    ]
    flows = WHOLE["components"]["securitySchemes"]["oauth"]["flows"]
    assert {frozenset(flow["scopes"]) for flow in flows.values()} == {frozenset(clients.GRANTABLE)}


def test_documented_oauth_values_equal_the_servers() -> None:
    """The OAuth values in the document equal those of the authorization server."""
    assert oauth_shapes.GRANT_TYPES == clients.GRANT_TYPES
    assert oauth_shapes.AUTH_METHODS == clients.AUTH_METHODS
    assert frozenset(oauth_shapes.SCOPES) == clients.GRANTABLE


def test_leak_reports_are_documented_with_signature_headers() -> None:
    """The document describes the signature headers of GitHub and of other senders of leak reports."""
    operation = WHOLE["paths"]["/v1/leaks"]["post"]
    names = [parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "header"]
    assert names == [
        github_signature.IDENTIFIER,
        github_signature.SIGNATURE,
        hmac_signature.TIMESTAMP,
        hmac_signature.SIGNATURE,
    ]
    schemes = WHOLE["components"]["securitySchemes"]
    signed = [schemes[name]["name"] for choice in operation["security"] for name in choice]
    assert signed == [github_signature.SIGNATURE, hmac_signature.SIGNATURE]


def test_example_of_every_schema_is_valid() -> None:
    """Every example is valid according to its schema."""
    shapes = WHOLE["components"]["schemas"]
    closed = conformance.strict({"schemas": shapes})["schemas"]
    for name in shapes:
        schema = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": closed}}
        jsonschema_rs.validate(schema, example_of({"$ref": f"#/components/schemas/{name}"}, shapes))


def test_operation_ids_are_unique() -> None:
    """Views with the same name in different modules have different operation ids."""
    app = Chalice(app_name="shop", configure_logs=False)
    middleware.install(app)
    for module in ("one", "two", "two"):
        add_view(app, module, f"/v1/{module}/{len(app.routes)}")
    operation_ids = [each["get"]["operationId"] for each in document(app.routes, URL)["paths"].values()]
    assert operation_ids == ["one_show", "get_v1_two_1", "get_v1_two_2"]


def test_route_without_declarations_is_documented() -> None:
    """A route without declarations is documented with path, scope and summary, and with a body of any content."""
    app = Chalice(app_name="shop", configure_logs=False)
    blueprint = Blueprint("orders")

    def change_order(context: RequestContext, order_id: str) -> None:
        pass

    register(blueprint, [Route("POST", "/v1/orders/{order_id}", change_order, ("write",))])
    app.register_blueprint(blueprint)
    whole = document(app.routes, URL)
    validate(whole)
    operation = whole["paths"]["/v1/orders/{order_id}"]["post"]
    assert operation["summary"] == "Change order"
    assert operation["parameters"] == [
        {"name": "order_id", "in": "path", "required": True, "schema": {"type": "string"}}
    ]
    assert operation["requestBody"] == {"content": {"application/json": {"schema": {}}}}
    assert set(operation["responses"]) == {"200", "401", "403", "415", "429", "500", "503"}


def test_undeclared_response_is_detected() -> None:
    """The conformance check rejects an undeclared status, header, field or media type."""
    gateway = Gateway(app, domain="api.example.com")
    limits = [(name, "1") for name in ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")]
    good = Response(200, [("Content-Type", "application/json"), *limits], b'{"status":"ok"}')
    conformance.check(gateway, "GET", "/health?x=1", good)
    for spoilt in (
        replace(good, status=418),
        replace(good, headers=good.headers[:2]),
        replace(good, body=b'{"status":"ok","more":1}'),
        replace(good, body=b'{"status":"well"}'),
        replace(good, body=b"{}"),
        replace(good, headers=[("Content-Type", "text/html"), *limits]),
    ):
        with pytest.raises(AssertionError):
            conformance.check(gateway, "GET", "/health?x=1", spoilt)


def test_document_contains_no_secret_or_table_name() -> None:
    """The document, which is public, contains no secret and no table name."""
    text = json.dumps(WHOLE)
    assert not re.search(r"lk_[a-z]+_[0-9A-Za-z]{36}|latchkey-\w+-\w+", text)


def test_oauth_bodies_are_documented_as_forms() -> None:
    """OAuth endpoints document the form body only, because generators create incompatible types for two media types."""
    for path in ("token", "device_authorization", "revoke", "introspect"):
        operation = WHOLE["paths"][f"/oauth/{path}"]["post"]
        assert list(operation["requestBody"]["content"]) == ["application/x-www-form-urlencoded"]
        assert "The same fields may come as `application/json`." in operation["description"]
    assert list(WHOLE["paths"]["/oauth/register"]["post"]["requestBody"]["content"]) == ["application/json"]


def test_response_schemas_allow_additional_fields() -> None:
    """Every response schema allows additional fields, so that generated clients accept fields of later versions."""
    assert all(shape["additionalProperties"] is True for shape in WHOLE["components"]["schemas"].values())


@pytest.mark.parametrize(
    "field",
    [
        Integer(1, 99),
        Integer(-9, -3),
        Integer(5, 5),
        Text(max_length=80, min_length=12),
        Text(max_length=1),
        Enum(("big", "small")),
        EnumList(("read", "write")),
        Id("ord"),
        DateTime(),
        String(),
        String(format="uri"),
        Number(),
        Boolean(),
        StringList(values=("a", "b")),
        ListOf(Integer(3, 4)),
        Nullable(Integer(1, 2)),
        AnyOf((Integer(7, 8), Boolean())),
    ],
    ids=repr,
)
def test_generated_example_is_valid(field: Any) -> None:
    """The example that is generated for a field is valid by the field's schema."""
    schema = field.schema()
    jsonschema_rs.Draft202012Validator(schema, validate_formats=True).validate(example_of(schema, {}))


def test_generated_list_example_has_enough_items() -> None:
    """A generated example of a list has at least the minimum number of items."""
    words = {"type": "array", "items": {"type": "string", "enum": ["a", "b", "c"]}, "minItems": 2, "uniqueItems": True}
    for schema in (words, {"type": "array", "items": {"type": "integer", "minimum": 3}, "minItems": 4}):
        jsonschema_rs.validate(schema, example_of(schema, {}))
