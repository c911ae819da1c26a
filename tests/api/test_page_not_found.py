"""For a path that doesn't exist, browsers get a page and API clients JSON, from API Gateway and the app alike."""

import pytest

from chalicelib.core import telemetry
from chalicelib.limits import tiers
from tests.support.console_client import ConsoleClient, Page, log_in_as, new_account
from tests.support.harness import TestApp

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Sec-Fetch-Dest": "document"}
JAVA = {"Accept": "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"}
"""The default Accept header of java.net.HttpURLConnection."""
NOWHERE = ("/nothing", "/settings/nothing", "/admin/nothing", "/v1/nothing", "/static/nothing.css", "/a/b/c/d")


@pytest.mark.parametrize("path", NOWHERE)
@pytest.mark.parametrize("headers", [BROWSER, {"accept": "text/html"}, {"sec-fetch-dest": "document"}])
def test_browser_gets_a_page(latchkey: TestApp, path: str, headers: dict[str, str]) -> None:
    """A request gets a page if it has any of the headers that are typical of browsers."""
    if path.startswith("/static/") and "accept" not in {name.lower() for name in headers}:
        headers = BROWSER
    response = latchkey.call("GET", path, headers=headers)
    assert (response.status, response.header("Content-Type")) == (404, "text/html; charset=utf-8")
    assert b"<h1>Page not found" in response.body
    assert response.header("X-Frame-Options") == "DENY"


@pytest.mark.parametrize("path", NOWHERE)
@pytest.mark.parametrize("headers", [{}, {"Accept": "*/*"}, {"Accept": "application/json"}])
def test_api_client_gets_json(latchkey: TestApp, path: str, headers: dict[str, str]) -> None:
    """An API client gets JSON with a stable error code."""
    response = latchkey.call("GET", path, headers=headers)
    assert (response.status, response.json()["error"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/introspect", "/oauth/register"])
def test_post_only_path_is_a_page_for_browsers(latchkey: TestApp, path: str) -> None:
    """A browser that opens a path that only accepts POST gets a page."""
    assert b"<h1>Page not found" in latchkey.call("GET", path, headers=BROWSER).body
    assert latchkey.call("GET", path).json()["error"] == "not_found"


def test_api_responds_in_json_to_an_accept_with_html(latchkey: TestApp) -> None:
    """The API responds in JSON to Java's default Accept header, which lists text/html first."""
    secret = latchkey.key(latchkey.account(), "read").secret
    response = latchkey.call("GET", "/v1/keys", secret, headers=dict(JAVA))
    assert (response.status, response.json()["error"]) == (403, "insufficient_scope")
    assert latchkey.call("GET", "/v1/users", headers=dict(JAVA)).json()["error"] == "missing_api_key"


def test_api_error_is_a_page_when_a_browser_navigates(latchkey: TestApp) -> None:
    """A browser that navigates to the API gets the error as a page."""
    secret = latchkey.key(latchkey.account(), "read").secret
    headers = {**BROWSER, "Authorization": f"Bearer {secret}"}
    # Called without the conformance check, because the document describes JSON only.
    response = latchkey.gateway.handle("GET", "/v1/keys", headers.items())
    assert (response.status, response.header("Content-Type")) == (403, "text/html; charset=utf-8")


@pytest.mark.parametrize("case", ["no such path", "no such method", "no right to it", "too many requests"])
def test_error_page_has_links_without_a_session_read(latchkey: TestApp, case: str) -> None:
    """An error page shows links to the landing page, log-in and sign-up, and reads no session."""
    console, secret = log_in_as(latchkey, new_account()), latchkey.key(latchkey.account(), "read").secret
    target = {"no such path": "/nothing", "no such method": "/oauth/token"}.get(case, "/v1/keys")
    headers = BROWSER | ({"Authorization": f"Bearer {secret}"} if case == "no right to it" else {})
    if case == "too many requests":
        target = "/docs"
        latchkey.set_counters(f"ip_{console.ip}", tiers.ANONYMOUS, used=3_600)
    with telemetry.record_calls() as calls:
        response = latchkey.gateway.handle("GET", target, headers.items(), ip=console.ip)
    page = Page(response, target)
    assert page.status in (403, 404, 429)
    start = next(url for url in page.urls if url.endswith("/"))
    assert {f"{start}login", f"{start}signup"} <= set(page.urls)
    assert "Latchkey" in page.text
    assert {table.rpartition("-")[2] for _, table in calls.made} <= {"windows", "credentials", ""}
    assert "sessions" not in {table.rpartition("-")[2] for _, table in calls.made}


def test_page_of_a_missing_object_is_not_found(latchkey: TestApp) -> None:
    """In the console, a missing object gets a 404 page with the console's navigation."""
    page = log_in_as(latchkey, new_account()).open("/settings/keys/key_nothing")
    assert (page.status, page.heading) == (404, "Page not found")
    assert "/logout" in page.urls


def test_page_uses_the_singular_for_one_second(latchkey: TestApp) -> None:
    """A page says "1 second", where the API's published message says "1 seconds"."""
    console = ConsoleClient(latchkey)
    page = [console.open("/") for _ in range(60)][-1]
    assert page.status == 429
    assert "Try again in 1 second." in page.text
