"""The API document that `chalice deploy` and `chalice package` send to AWS, with its gateway responses."""

import json
import os
import re
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from chalicelib.api import responses
from chalicelib.api.authorizer import IDENTITY
from chalicelib.api.routing import route_of
from infra import gateway
from infra.routes import of_latchkey
from tests.api.routes import PUBLIC

ROOT = Path(__file__).parents[2]
KEY = "Idempotency-Key"
CORS = {"Access-Control-Allow-Origin", "Access-Control-Expose-Headers", "Access-Control-Allow-Headers"}
LIMITS = {"X-RateLimit-Limit": "0", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "0"}
PROGRAM = """
import json
from chalice.deploy.swagger import CFNSwaggerGenerator, TemplatedSwaggerGenerator
from app import app
for generator in (CFNSwaggerGenerator(), TemplatedSwaggerGenerator()):
    print(json.dumps(generator.generate_swagger(app, None), default=repr))
"""
"""A program that prints the API document of `chalice package` and that of `chalice deploy`."""


@lru_cache(maxsize=1)
def documents() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the packaged and the deployed API document, with `app.py` loaded as Chalice's command line does."""
    environment = os.environ | {"AWS_CHALICE_CLI_MODE": "true"}
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=ROOT)
    packaged, deployed = map(json.loads, done.stdout.splitlines()[-2:])
    return packaged, deployed


def document() -> dict[str, Any]:
    """Return the packaged document."""
    return documents()[0]


def gateway_responses() -> dict[str, Any]:
    """Return the gateway responses of the document."""
    found: dict[str, Any] = document()["x-amazon-apigateway-gateway-responses"]
    return found


def headers_of(response: dict[str, Any]) -> dict[str, str]:
    """Return the headers of a gateway response; literal values are in single quotes."""
    values = {}
    for name, value in response["responseParameters"].items():
        assert re.fullmatch(r"'[^']*'", value), (name, value)
        values[name.removeprefix("gatewayresponse.header.")] = value[1:-1]
    return values


def test_document_has_our_gateway_responses() -> None:
    """Both documents contain the gateway responses, because `put_rest_api` overwrites manual settings."""
    for made in documents():
        assert made["x-amazon-apigateway-gateway-responses"] == gateway.as_extension()
        assert "/{proxy+}" in made["paths"]


@pytest.mark.parametrize(
    ("kind", "status", "body"),
    [
        (
            "UNAUTHORIZED",
            "401",
            {"error": "missing_api_key", "message": "No API key provided in the Authorization header."},
        ),
        ("MISSING_AUTHENTICATION_TOKEN", "404", {"error": "not_found", "message": "There is nothing at this path."}),
        ("INVALID_SIGNATURE", "404", {"error": "not_found", "message": "There is nothing at this path."}),
        ("UNSUPPORTED_MEDIA_TYPE", "404", {"error": "not_found", "message": "There is nothing at this path."}),
        (
            "THROTTLED",
            "429",
            {"error": "rate_limit_exceeded", "message": "Rate limit exceeded. Try again in 1 seconds."},
        ),
    ],
)
def test_gateway_response_has_the_documented_body(kind: str, status: str, body: dict[str, str]) -> None:
    """Status and body of each gateway response are the documented ones, byte for byte."""
    response = gateway_responses()[kind]
    assert response["statusCode"] == status
    assert response["responseTemplates"] == {"application/json": json.dumps(body, separators=(",", ":"))}


def test_denial_has_the_authorizers_error() -> None:
    """A denial is a 401 with the error and message of the authorizer's context."""
    response = gateway_responses()["ACCESS_DENIED"]
    assert response["statusCode"] == "401"
    assert response["responseTemplates"]["application/json"] == (
        '{"error":"$context.authorizer.refusal","message":"$context.authorizer.explanation"}'
    )


@pytest.mark.parametrize("kind", ["DEFAULT_4XX", "DEFAULT_5XX"])
def test_defaults_have_no_status_of_their_own(kind: str) -> None:
    """The default gateway responses have no status, because it would replace the status of all other responses."""
    assert "statusCode" not in gateway_responses()[kind]


def test_default_4xx_has_the_gateways_message() -> None:
    """The template of DEFAULT_4XX has no quotes around the message, because API Gateway adds them."""
    assert gateway_responses()["DEFAULT_4XX"]["responseTemplates"]["application/json"] == (
        '{"error":"invalid_request","message":$context.error.messageString}'
    )


@pytest.mark.parametrize("kind", sorted(gateway.RESPONSES))
def test_gateway_response_has_cors_and_limit_headers(kind: str) -> None:
    """Gateway responses have CORS headers, without which scripts see only a network error, and limits of zero."""
    headers = headers_of(gateway_responses()[kind])
    assert headers.keys() >= CORS | LIMITS.keys()
    assert {name: headers[name] for name in LIMITS} == LIMITS
    assert headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("kind", "challenged"), [("UNAUTHORIZED", True), ("ACCESS_DENIED", True), ("THROTTLED", False)]
)
def test_401_of_the_gateway_names_the_scheme(kind: str, challenged: bool) -> None:
    """RFC 9110 §11.6.1: a 401 has a challenge. A throttled response has Retry-After."""
    headers = headers_of(gateway_responses()[kind])
    assert headers.get("WWW-Authenticate", "").startswith("Bearer") is challenged
    assert (headers.get("Retry-After") == "1") is not challenged


def test_challenge_of_a_denied_credential_has_an_error_code() -> None:
    """RFC 6750 §3.1: the challenge has an error code for a denied credential, and none without a credential."""
    assert headers_of(gateway_responses()["UNAUTHORIZED"])["WWW-Authenticate"] == "Bearer"
    assert headers_of(gateway_responses()["ACCESS_DENIED"])["WWW-Authenticate"] == (
        'Bearer error="invalid_token", error_description="The API key or access token is malformed, unknown, revoked or'
        ' expired."'
    )


def test_every_preflight_has_the_request_and_response_headers() -> None:
    """Each path with CORS allows the request headers and exposes the response headers, in the deployed document."""
    asked = {path: methods["options"] for path, methods in document()["paths"].items() if "options" in methods}
    assert {"/v1/keys", "/oauth/token", "/oauth/register", "/.well-known/oauth-protected-resource"} <= asked.keys()
    assert {"/openapi.json", "/health", "/status.json", "/status.rss"} <= asked.keys()
    for path, definition in asked.items():
        default = definition["x-amazon-apigateway-integration"]["responses"]["default"]["responseParameters"]
        said = {name.removeprefix("method.response.header."): value.strip("'") for name, value in default.items()}
        assert set(said["Access-Control-Allow-Headers"].split(",")) - {KEY} == set(responses.ALLOWED.split(",")), path
        assert said["Access-Control-Expose-Headers"].split(",") == responses.EXPOSED.split(","), path
    sent = {"Authorization", "Content-Type", KEY, "MCP-Protocol-Version"}
    read = {"WWW-Authenticate", "x-amzn-Remapped-WWW-Authenticate", "Retry-After", "Idempotency-Replayed"}
    assert sent <= set(responses.ALLOWED_TO_REPEAT.split(","))
    assert read <= set(responses.EXPOSED.split(","))


@pytest.mark.parametrize("path", sorted(path for path, entries in of_latchkey().items() if "POST" in entries))
def test_post_with_cors_supports_the_idempotency_key_it_allows(path: str) -> None:
    """A POST route allows the Idempotency-Key header in CORS only if it supports this header."""
    heeds = bool(route_of(of_latchkey()[path]["POST"]).idempotency)
    assert (f"{KEY}," in json.dumps(document()["paths"][path].get("options", {}))) is heeds


@pytest.mark.parametrize(
    "path", ["/health", "/openapi.json", "/.well-known/oauth-protected-resource", "/oauth/register/{client_id}"]
)
def test_public_post_does_not_allow_an_idempotency_key(path: str) -> None:
    """CORS doesn't allow Idempotency-Key for a public route, because responses are stored by credential."""
    assert f"{KEY}," not in json.dumps(document()["paths"][path]["options"])


def test_deployed_document_has_head_wherever_it_has_get() -> None:
    """Each path with GET also has HEAD, with the same authorizer.

    For HEAD on a path without GET, API Gateway responds with a 404.
    """
    paths = document()["paths"]
    for path, entries in of_latchkey().items():
        methods = paths[path] if "GET" in entries else paths[path].keys() - {"get"}
        assert ("head" in methods) == ("get" in methods), path
        if "GET" in entries:
            assert paths[path]["head"].get("security") == paths[path]["get"].get("security"), path


def test_authorizer_is_cached_and_called_only_for_bearer_tokens() -> None:
    """The policy is cached for 300 s by the Authorization header, and only `Bearer …` reaches the function."""
    (definition,) = document()["securityDefinitions"].values()
    assert (definition["name"], definition["in"]) == ("Authorization", "header")
    authorizer = definition["x-amazon-apigateway-authorizer"]
    assert authorizer["authorizerResultTtlInSeconds"] == 300
    assert authorizer["identityValidationExpression"] == IDENTITY


def test_unknown_path_is_a_mock_404() -> None:
    """A catch-all route responds with a 404, because API Gateway rejects a Bearer header at a path without a route."""
    integration = document()["paths"]["/{proxy+}"]["x-amazon-apigateway-any-method"]["x-amazon-apigateway-integration"]
    response = integration["responses"]["default"]
    assert (integration["type"], response["statusCode"]) == ("mock", "404")
    assert response["responseTemplates"]["application/json"] == (
        '{"error":"not_found","message":"There is nothing at this path."}'
    )
    headers = {
        name.removeprefix("method.response.header."): value[1:-1]
        for name, value in response["responseParameters"].items()
    }
    assert headers.items() >= LIMITS.items()


def test_unknown_path_is_a_page_for_a_browser() -> None:
    """The mock integration responds with a page or with JSON, depending on the request's headers."""
    integration = document()["paths"]["/{proxy+}"]["x-amazon-apigateway-any-method"]["x-amazon-apigateway-integration"]
    templates = set(integration["requestTemplates"].values())
    assert {"application/json", "application/x-www-form-urlencoded"} <= integration["requestTemplates"].keys()
    (template,) = templates
    for name in ("Accept", "accept", "Sec-Fetch-Dest", "sec-fetch-dest"):
        assert f"$!input.params('{name}')" in template
    assert template.endswith(
        '{"statusCode": #if($asked.contains("text/html") || $asked.contains("document"))406#{else}404#end}'
    )
    page = integration["responses"]["406"]
    (body,) = page["responseTemplates"].values()
    override = "#set($context.responseOverride.status = 404)"
    assert (page["statusCode"], body[: len(override)]) == ("406", override)
    html = body.removeprefix(override)
    assert "<h1>Page not found<" in html
    # Velocity would interpret `#` and `$`, so the page contains them only in `$context.stage`.
    assert re.findall(r"[#$]\S*", html.replace("$context.stage", "")) == []
    assert page["responseParameters"]["method.response.header.Content-Type"] == "'text/html; charset=utf-8'"
    assert all(re.fullmatch(r"'[^']*'", value) for value in page["responseParameters"].values())


def test_no_integration_has_two_responses_of_one_status() -> None:
    """API Gateway identifies responses by status, so a second response would be lost or would make the import fail."""
    for made in documents():
        for path, operations in made["paths"].items():
            for method, operation in operations.items():
                integration = operation["x-amazon-apigateway-integration"]
                statuses = [response["statusCode"] for response in integration["responses"].values()]
                assert len(statuses) == len(set(statuses)), (path, method)
                assert operation["responses"].keys() >= set(statuses), (path, method)
                assert list(integration["responses"])[:1] == ["default"] or integration["type"] == "aws_proxy", path


def test_every_header_of_the_mock_404_is_declared() -> None:
    """Every header is declared, because API Gateway rejects a document whose integration sets an undeclared header."""
    method = document()["paths"]["/{proxy+}"]["x-amazon-apigateway-any-method"]
    for response in method["x-amazon-apigateway-integration"]["responses"].values():
        headers = method["responses"][response["statusCode"]]["headers"]
        assert set(response["responseParameters"]) == {f"method.response.header.{name}" for name in headers}


def test_missing_method_of_a_page_is_handled_like_an_unknown_path() -> None:
    """Outside /v1, a GET or POST without a route gets the 404 page in a browser, and JSON in other clients."""
    paths = document()["paths"]
    for path in of_latchkey():
        if not path.startswith("/v1/") and not paths[path].keys() >= {"get", "post"}:
            other = paths[path]["x-amazon-apigateway-any-method"]
            assert other == paths["/{proxy+}"]["x-amazon-apigateway-any-method"], path


def test_every_route_of_the_api_is_protected_in_the_document() -> None:
    """Every method of /v1 has the authorizer, except preflights and leak reports."""
    paths = document()["paths"]
    for path in of_latchkey():
        for method, definition in paths[path].items():
            if path.startswith("/v1/") and method != "options" and (method.upper(), path) != PUBLIC:
                assert definition.get("security"), (method, path)
