"""The middleware's steps before every view (credential, admission, scope), and its own responses."""

import re
from typing import Any

import pytest

from app import app
from chalicelib.limits import tiers
from infra.local_gateway.lambda_context import LambdaContext
from infra.routes import of_latchkey
from tests.api.routes import PUBLIC, ROUTES
from tests.support.failing_view import gateway_with_fault
from tests.support.harness import TestApp, error_of

ORDINARY = {"read", "write", "keys", "events", "webhooks"}
EACH_ROUTE = pytest.mark.parametrize(("method", "path", "scope"), ROUTES)
READ_BY_PAGES = ("WWW-Authenticate", "x-amzn-Remapped-WWW-Authenticate", "Idempotency-Replayed", "Location", "Link")
LIMIT_HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")


def target(path: str) -> str:
    """Return a path with an id in place of its parameter."""
    return path.replace("{id}", "key_" + "0" * 20)


def test_every_route_of_the_api_is_listed_here() -> None:
    """These tests cover every route, because the list `ROUTES` contains every route."""
    there = {
        (method, path)
        for path, methods in of_latchkey().items()
        for method in methods
        if path.startswith("/v1/") and method != "HEAD"
    }
    listed = {PUBLIC, *(route[:2] for route in ROUTES)}
    assert {(method, re.sub(r"\{\w+\}", "{id}", path)) for method, path in there} == listed


@EACH_ROUTE
def test_route_without_a_credential_is_a_401(latchkey: TestApp, method: str, path: str, scope: str) -> None:
    """A request without a credential gets a 401 from API Gateway and isn't counted."""
    response = latchkey.call(method, target(path))
    assert error_of(response) == (401, "missing_api_key")
    assert [response.header(name) for name in LIMIT_HEADERS] == ["0", "0", "0"]


@EACH_ROUTE
def test_route_with_insufficient_scope_is_a_403(latchkey: TestApp, method: str, path: str, scope: str) -> None:
    """A key that has every ordinary scope except the required one gets a 403 that names the missing scope."""
    secret = latchkey.key(latchkey.account(), *sorted(ORDINARY - {scope})).secret
    response = latchkey.call(method, target(path), secret, body=b"{}")
    assert error_of(response) == (403, "insufficient_scope")
    assert response.json()["message"] == f"This request needs a credential with the scope {scope}."
    assert response.header("x-amzn-Remapped-WWW-Authenticate") == (
        f'Bearer error="insufficient_scope", error_description="{response.json()["message"]}", scope="{scope}", '
        f"{METADATA}"
    )


@EACH_ROUTE
def test_route_with_an_exhausted_quota_is_a_429(latchkey: TestApp, method: str, path: str, scope: str) -> None:
    """Every route rejects a request when the quota is exhausted."""
    account = latchkey.account(admin=True)
    secret = latchkey.key(account, *sorted(ORDINARY), "admin").secret
    latchkey.set_counters(account.id, tiers.FREE, used=1000)
    response = latchkey.call(method, target(path), secret, body=b"{}")
    assert error_of(response) == (429, "rate_limit_exceeded")
    assert response.header("Retry-After") == "3600"
    assert [response.header(name) for name in LIMIT_HEADERS] == ["1000", "0", str(latchkey.clock.now_ms // 1000 + 3600)]


@EACH_ROUTE
def test_route_allows_cross_origin_requests(latchkey: TestApp, method: str, path: str, scope: str) -> None:
    """Preflight and response allow a page of another origin to read the limit headers."""
    preflight = latchkey.call("OPTIONS", target(path), headers={"Origin": "https://app.example.com"})
    assert preflight.status == 200
    assert method in (preflight.header("Access-Control-Allow-Methods") or "").split(",")
    response = latchkey.call(method, target(path), latchkey.key(latchkey.account()).secret, body=b"{}")
    for said in (preflight, response):
        exposed = (said.header("Access-Control-Expose-Headers") or "").split(",")
        assert said.header("Access-Control-Allow-Origin") == "*"
        assert {*LIMIT_HEADERS, "RateLimit", "RateLimit-Policy", "Retry-After", *READ_BY_PAGES} <= set(exposed)
        assert said.header("Access-Control-Allow-Credentials") is None


METADATA = 'resource_metadata="https://api.example.com/.well-known/oauth-protected-resource"'


@pytest.mark.parametrize("ends", ["revoked", "expired"])
def test_credential_that_expires_or_is_revoked_gets_a_challenge(latchkey: TestApp, ends: str) -> None:
    """If a credential expired or was revoked, the 401 has a WWW-Authenticate challenge (RFC 6750)."""
    account = latchkey.account()
    maker, key = latchkey.key(account), latchkey.key(account, "read", expires_in_s=60)
    assert latchkey.call("GET", "/v1/users/me", key.secret).status == 200
    if ends == "revoked":
        latchkey.call("DELETE", f"/v1/keys/{key.key.id}", maker.secret)
    else:
        latchkey.clock.forward(60)
    response = latchkey.call("GET", "/v1/users/me", key.secret)
    assert response.status == 401
    assert response.header("x-amzn-Remapped-WWW-Authenticate") == (
        'Bearer error="invalid_token", error_description="The API key or access token is malformed, unknown, revoked or'
        f' expired.", scope="read", {METADATA}'
    )


def test_quota_is_shared_by_all_keys_of_an_account(latchkey: TestApp) -> None:
    """Another key of an account adds no quota, and another account has its own quota."""
    account = latchkey.account()
    latchkey.set_counters(account.id, tiers.FREE, used=998)
    first, second = latchkey.key(account), latchkey.key(account)
    left = [latchkey.call("GET", "/v1/users/me", key.secret).header("X-RateLimit-Remaining") for key in (first, second)]
    assert left == ["1", "0"]
    assert latchkey.call("GET", "/v1/users/me", first.secret).status == 429
    assert latchkey.call("GET", "/v1/users/me", latchkey.key(latchkey.account()).secret).status == 200


def test_rotation_adds_no_quota(latchkey: TestApp) -> None:
    """A rotated key and its successor count against the same quota."""
    account = latchkey.account()
    key = latchkey.key(account)
    latchkey.set_counters(account.id, tiers.FREE, used=997)
    made = latchkey.call("POST", f"/v1/keys/{key.key.id}/rotate", key.secret).json()
    assert latchkey.call("GET", "/v1/users/me", made["secret"]).header("X-RateLimit-Remaining") == "1"


def test_admission_precedes_the_scope_check(latchkey: TestApp) -> None:
    """A request with insufficient scope counts against the quota."""
    secret = latchkey.key(latchkey.account(), "read").secret
    latchkey.call("GET", "/v1/keys", secret)
    assert latchkey.call("GET", "/v1/users/me", secret).header("X-RateLimit-Remaining") == "998"


@pytest.mark.parametrize(("tier", "burst"), [(tiers.FREE, 50), (tiers.PRO, 200), (tiers.ENTERPRISE, 1_000)])
def test_burst_of_each_tier_is_exact(latchkey: TestApp, tier: tiers.Tier, burst: int) -> None:
    """The last request of a burst is admitted, and the next is rejected until the second ends."""
    account = latchkey.account(tier)
    secret = latchkey.key(account).secret
    latchkey.set_counters(account.id, tier, burst=burst - 1)
    assert latchkey.call("GET", "/v1/limits", secret).status == 200
    response = latchkey.call("GET", "/v1/limits", secret)
    assert (error_of(response), response.header("Retry-After")) == ((429, "rate_limit_exceeded"), "1")
    latchkey.clock.forward(1)
    assert latchkey.call("GET", "/v1/limits", secret).status == 200


@pytest.mark.parametrize(("tier", "quota"), [(tiers.FREE, 1_000), (tiers.PRO, 10_000)])
def test_quota_of_each_tier_is_exact(latchkey: TestApp, tier: tiers.Tier, quota: int) -> None:
    """The last request of a quota is admitted, and the next is rejected until the hour ends."""
    account = latchkey.account(tier)
    secret = latchkey.key(account).secret
    latchkey.set_counters(account.id, tier, used=quota - 1)
    assert latchkey.call("GET", "/v1/limits", secret).header("X-RateLimit-Remaining") == "0"
    assert latchkey.call("GET", "/v1/limits", secret).status == 429
    latchkey.clock.forward(3600)
    assert latchkey.call("GET", "/v1/limits", secret).header("X-RateLimit-Remaining") == str(quota - 1)


def test_exception_in_a_view_is_a_500_without_details(latchkey: TestApp) -> None:
    """The response to an exception contains a request id and limit headers, and no detail of the exception."""
    secret = latchkey.key(latchkey.account()).secret
    latchkey.gateway = gateway_with_fault()
    response = latchkey.call("GET", "/v1/fault", secret)
    assert error_of(response) == (500, "internal_error")
    assert response.json()["message"] == (
        f"Something went wrong on our side. Quote this request id: {response.header('x-amzn-RequestId')}."
    )
    assert response.header("X-RateLimit-Remaining") == "999"


def event(method: str, path: str, **more: Any) -> dict[str, Any]:
    """Return the Lambda event of a request that API Gateway would have rejected itself."""
    context = {"resourcePath": path, "httpMethod": method, "requestId": "r-1", "identity": {"sourceIp": "203.0.113.7"}}
    return {
        "headers": {},
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": context,
        "body": None,
        "isBase64Encoded": False,
        "path": path,
    } | more


def test_unknown_method_that_reaches_the_app_is_a_405(latchkey: TestApp) -> None:
    """A 405 lists the allowed methods, in the documented format and with the anonymous limit headers."""
    response = app(event("DELETE", "/v1/keys"), LambdaContext("test", "r-1"))
    assert response["statusCode"] == 405
    assert response["body"] == '{"error":"method_not_allowed","message":"This path takes GET, HEAD, POST only."}'
    assert response["headers"]["Allow"] == "GET, HEAD, POST"
    assert response["headers"]["X-RateLimit-Limit"] == "3600"


def test_protected_route_without_an_authorizer_is_a_500(latchkey: TestApp) -> None:
    """A protected route responds with a 500 if API Gateway's authorizer is detached."""
    response = app(event("GET", "/v1/users"), LambdaContext("test", "r-1"))
    assert response["statusCode"] == 500
    assert "data" not in response["body"]


def test_request_of_another_media_type_is_a_415(latchkey: TestApp) -> None:
    """A route with a JSON body rejects other media types."""
    secret = latchkey.key(latchkey.account()).secret
    response = latchkey.call("PATCH", "/v1/users/me", secret, body=b"name=Ada", headers={"Content-Type": "text/plain"})
    assert error_of(response) == (415, "unsupported_media_type")


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON", "application/json; charset=utf-8"])
def test_json_media_type_ignores_case_and_parameters(latchkey: TestApp, kind: str) -> None:
    """Case and parameters of the media type are ignored."""
    secret = latchkey.key(latchkey.account()).secret
    response = latchkey.call("PATCH", "/v1/users/me", secret, json_body={"name": "B"}, headers={"Content-Type": kind})
    assert response.status == 200


def test_anonymous_requests_are_counted_by_address(latchkey: TestApp) -> None:
    """Each network has its own anonymous burst."""
    for _ in range(50):
        assert latchkey.call("GET", "/health", ip="203.0.113.7").status == 200
    assert error_of(latchkey.call("GET", "/health", ip="203.0.113.7")) == (429, "rate_limit_exceeded")
    assert latchkey.call("GET", "/health", ip="203.0.113.8").status == 200


def test_forwarding_headers_do_not_change_the_client_address(latchkey: TestApp) -> None:
    """A client can't get another anonymous quota by sending a forwarding header."""
    latchkey.set_counters("ip_203.0.113.7", tiers.ANONYMOUS, used=3600)
    for name in ("X-Forwarded-For", "X-Real-IP", "Forwarded", "CF-Connecting-IP"):
        assert latchkey.call("GET", "/health", headers={name: "198.51.100.1"}).status == 429
