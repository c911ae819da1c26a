"""The stand-in for API Gateway does what tests and local runs rely on."""

from dataclasses import replace

import pytest

from app import app
from chalicelib.core import settings
from infra import gateway_pages
from infra.local_gateway.gateway import Gateway
from tests.support.harness import TestApp, error_of


def test_authorizers_word_is_cached_by_the_whole_header(latchkey: TestApp) -> None:
    """As in API Gateway: another spelling of the same credential is another entry."""
    secret = latchkey.key(latchkey.account()).secret
    latchkey.call("GET", "/v1/limits", secret)
    latchkey.call("GET", "/v1/limits", secret)
    latchkey.call("GET", "/v1/limits", headers={"Authorization": f"bearer {secret}"})
    assert len(latchkey.gateway.cached) == 2


def test_cached_word_covers_every_route(latchkey: TestApp) -> None:
    """The authorizer is asked once, whichever route is called first."""
    secret = latchkey.key(latchkey.account()).secret
    for target in ("/v1/limits", "/v1/users", "/v1/keys"):
        assert latchkey.call("GET", target, secret).status == 200
    assert len(latchkey.gateway.cached) == 1


def test_repr_of_a_gateway_shows_no_credential(latchkey: TestApp) -> None:
    """What it has cached is keyed by whole Authorization headers."""
    secret = latchkey.key(latchkey.account()).secret
    latchkey.call("GET", "/v1/limits", secret)
    assert secret not in repr(latchkey.gateway)


@pytest.mark.parametrize("method", ["PUT", "TRACE", "BREW"])
def test_method_that_a_path_does_not_have_is_a_404(latchkey: TestApp, method: str) -> None:
    """API Gateway knows no 405."""
    answer = latchkey.call(method, "/v1/users", latchkey.key(latchkey.account()).secret)
    assert error_of(answer) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "target"),
    [("POST", path) for path in ("/docs", "/", "/settings/keys", "/admin", "/nothing")] + [("GET", "/oauth/token")],
)
@pytest.mark.parametrize("headers", [{"Accept": "text/html,*/*"}, {"Sec-Fetch-Dest": "document"}])
def test_wrong_method_is_a_page_for_people(
    latchkey: TestApp, method: str, target: str, headers: dict[str, str]
) -> None:
    """Whoever sends a form where none is taken sees what anybody sees at a path there isn't; programs get JSON."""
    answer = latchkey.call(method, target, headers=headers)
    assert (answer.status, answer.header("Content-Type")) == (404, "text/html; charset=utf-8")
    assert error_of(latchkey.call(method, target)) == (404, "not_found")


def test_of_two_responses_of_one_status_a_mock_keeps_one() -> None:
    """As in API Gateway, which knows the response of an integration by its status."""
    json, page = (gateway_pages.response("404", {}, {"text/html": text}) for text in ("{}", "<html>"))
    integration = {"responses": {"406": page, "default": json}}
    assert gateway_pages.render(integration, [("Accept", "text/html")], "api") == (404, {}, "{}")


def test_head_of_a_path_that_there_is_not_has_no_body(latchkey: TestApp) -> None:
    """The gateway's own answers to HEAD say how long that to GET is, and send nothing of it."""
    for target in ("/v1/nothing", "/oauth/token", "/v1/users"):
        got, asked = latchkey.call("GET", target), latchkey.call("HEAD", target)
        assert (asked.status, asked.body) == (got.status, b"")
        assert asked.header("Content-Length") == str(len(got.body))


def test_body_beyond_ten_megabytes_is_refused(latchkey: TestApp) -> None:
    """As API Gateway does, without a function running, in the documented shape."""
    answer = latchkey.call(
        "PATCH", "/v1/users/me", latchkey.key(latchkey.account()).secret, body=b"x" * (10 * 1024 * 1024 + 1)
    )
    assert error_of(answer) == (413, "invalid_request")


def test_each_answer_has_its_own_request_id(latchkey: TestApp) -> None:
    """Also when the gateway answers by itself."""
    ids = {
        latchkey.call("GET", target).header("x-amzn-RequestId") for target in ("/health", "/health", "/v1/users", "/x")
    }
    assert len(ids) == 4
    assert None not in ids


def test_gateway_without_configured_url_links_to_its_own_domain(latchkey: TestApp) -> None:
    """What a visitor writes into Host is never where a link leads."""
    latchkey.gateway = Gateway(app, domain="abc.execute-api.us-east-1.amazonaws.com")
    latchkey.account(name="Bea")
    secret = latchkey.key(latchkey.account()).secret
    with settings.override(replace(settings.current(), public_url="")):
        answer = latchkey.call("GET", "/v1/users?limit=1", secret, headers={"Host": "evil.example"})
    assert (answer.header("Link") or "").startswith("<https://abc.execute-api.us-east-1.amazonaws.com/v1/users?")
