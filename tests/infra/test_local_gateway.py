"""The local gateway behaves like API Gateway as far as tests and local runs need it."""

from dataclasses import replace

import pytest

from app import app
from chalicelib.accounts import roles
from chalicelib.core import settings
from infra import gateway_pages
from infra.local_gateway.gateway import Gateway
from tests.support.harness import TestApp, error_of


def test_policy_is_cached_by_the_authorization_header(latchkey: TestApp) -> None:
    """A credential in another spelling of the header is another cache entry, as in API Gateway."""
    secret = latchkey.key(latchkey.account()).secret
    latchkey.call("GET", "/v1/limits", secret)
    latchkey.call("GET", "/v1/limits", secret)
    latchkey.call("GET", "/v1/limits", headers={"Authorization": f"bearer {secret}"})
    assert len(latchkey.gateway.cached) == 2


def test_cached_policy_covers_every_route(latchkey: TestApp) -> None:
    """The authorizer is called for the first route only, whichever it is."""
    secret = latchkey.key(latchkey.account()).secret
    for target in ("/v1/limits", "/v1/users", "/v1/keys"):
        assert latchkey.call("GET", target, secret).status == 200
    assert len(latchkey.gateway.cached) == 1


def test_repr_of_a_gateway_shows_no_credential(latchkey: TestApp) -> None:
    """The repr omits the cache, whose keys are Authorization headers."""
    secret = latchkey.key(latchkey.account()).secret
    latchkey.call("GET", "/v1/limits", secret)
    assert secret not in repr(latchkey.gateway)


@pytest.mark.parametrize("method", ["PUT", "TRACE", "BREW"])
def test_missing_method_is_a_404(latchkey: TestApp, method: str) -> None:
    """A method that a path doesn't have is a 404, because API Gateway never responds with a 405."""
    response = latchkey.call(method, "/v1/users", latchkey.key(latchkey.account()).secret)
    assert error_of(response) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "target"),
    [("POST", path) for path in ("/docs", "/", "/settings/keys", "/admin", "/nothing")] + [("GET", "/oauth/token")],
)
@pytest.mark.parametrize("headers", [{"Accept": "text/html,*/*"}, {"Sec-Fetch-Dest": "document"}])
def test_missing_method_is_a_page_for_browsers(
    latchkey: TestApp, method: str, target: str, headers: dict[str, str]
) -> None:
    """A browser gets the page for unknown paths, and API clients get JSON."""
    response = latchkey.call(method, target, headers=headers)
    assert (response.status, response.header("Content-Type")) == (404, "text/html; charset=utf-8")
    assert error_of(latchkey.call(method, target)) == (404, "not_found")


def test_mock_integration_keeps_one_response_per_status() -> None:
    """A second response with the same status replaces the first, as in API Gateway."""
    json, page = (gateway_pages.response("404", {}, {"text/html": text}) for text in ("{}", "<html>"))
    integration = {"responses": {"406": page, "default": json}}
    assert gateway_pages.render(integration, [("Accept", "text/html")], "api") == (404, {}, "{}")


def test_head_of_an_unknown_path_has_no_body(latchkey: TestApp) -> None:
    """A gateway response to HEAD has the Content-Length of GET and no body."""
    for target in ("/v1/nothing", "/oauth/token", "/v1/users"):
        got, asked = latchkey.call("GET", target), latchkey.call("HEAD", target)
        assert (asked.status, asked.body) == (got.status, b"")
        assert asked.header("Content-Length") == str(len(got.body))


def test_body_over_ten_megabytes_is_rejected(latchkey: TestApp) -> None:
    """A body over ten megabytes gets the documented 413, and no function is called, as in API Gateway."""
    response = latchkey.call(
        "PATCH", "/v1/users/me", latchkey.key(latchkey.account()).secret, body=b"x" * (10 * 1024 * 1024 + 1)
    )
    assert error_of(response) == (413, "invalid_request")


def test_each_response_has_its_own_request_id(latchkey: TestApp) -> None:
    """Each response, including those of the gateway, has a different request id."""
    ids = {
        latchkey.call("GET", target).header("x-amzn-RequestId") for target in ("/health", "/health", "/v1/users", "/x")
    }
    assert len(ids) == 4
    assert None not in ids


def test_gateway_without_configured_url_links_to_its_own_domain(latchkey: TestApp) -> None:
    """Links use the gateway's domain, and never the Host header of a request."""
    latchkey.gateway = Gateway(app, domain="abc.execute-api.us-east-1.amazonaws.com")
    account = latchkey.account()
    latchkey.member(account, roles.VIEWER)
    secret = latchkey.key(account).secret
    with settings.override(replace(settings.current(), public_url="")):
        response = latchkey.call("GET", "/v1/users?limit=1", secret, headers={"Host": "evil.example"})
    assert (response.header("Link") or "").startswith("<https://abc.execute-api.us-east-1.amazonaws.com/v1/users?")
