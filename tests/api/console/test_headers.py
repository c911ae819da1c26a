"""Security headers and cookies of every page."""

import re
from dataclasses import replace

import pytest

from chalicelib.core import settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.limits import tiers
from chalicelib.pages import assets
from tests.api.console.places import SHOWN, create_place
from tests.support.console_client import ConsoleClient, Page, log_in_as, new_account
from tests.support.harness import TestApp

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; base-uri 'none';"
    " form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
}
LOOPBACK = "http://127.0.0.1:8000"


def assert_guarded(page: Page) -> None:
    """Assert that a page has each security header once."""
    asks = {"Content-Security-Policy": f"{POLICY}; connect-src 'self'"} if page.target == "/docs" else {}
    for name, value in (HEADERS | asks).items():
        assert [given for header, given in page.answer.headers if header == name] == [value], (page.target, name)
    assert page.answer.header("Access-Control-Allow-Origin") is None, page.target


def test_every_page_has_the_security_headers(latchkey: TestApp) -> None:
    """Every page and redirect has exactly these headers, for administrators and anonymous users."""
    site = create_place(latchkey)
    anonymous = ConsoleClient(latchkey)
    for route in SHOWN:
        latchkey.clock.forward(1)
        for console in (site.console, anonymous):
            page = console.open(site.path(route))
            assert page.status < 500, page.target
            assert_guarded(page)


def test_every_error_page_has_the_security_headers(latchkey: TestApp) -> None:
    """Every error page has the security headers, for any kind of error."""
    console = log_in_as(latchkey, new_account())
    missing = console.open("/settings/keys/key_00000000000000000000")
    forged = console.send("/settings/account/name", {"name": "Eve"})
    spent = console.open("/verify?ticket=nonsense")
    wrong = ConsoleClient(latchkey).submit("/login", email="nobody@example.com", password="wrong")
    latchkey.set_counters(f"ip_{console.ip}", tiers.ANONYMOUS, used=3_600)
    limited = console.open("/settings/account")
    pages = [missing, forged, spent, wrong, limited]
    assert [page.status for page in pages] == [404, 403, 410, 401, 429]
    for page in pages:
        assert_guarded(page)
        assert page.heading
    assert limited.answer.header("Retry-After") == "3600"


def test_server_error_page_has_the_security_headers(latchkey: TestApp) -> None:
    """The page of a server error has the security headers, and shows a message and the request id, but no traceback."""
    console = log_in_as(latchkey, new_account())
    dynamodb.call("DeleteTable", {"TableName": settings.current().table("credentials")})
    page = console.open("/settings/keys")
    assert page.status == 500
    assert_guarded(page)
    assert str(page.answer.header("x-amzn-RequestId")) in page.text
    assert "Traceback" not in page.html


def test_hsts_is_sent_over_https_only(latchkey: TestApp) -> None:
    """Strict-Transport-Security is sent over HTTPS only; a loopback URL uses plain HTTP."""
    with settings.override(replace(settings.current(), public_url=LOOPBACK)):
        page = ConsoleClient(latchkey, origin=LOOPBACK).open("/login")
    assert page.answer.header("Strict-Transport-Security") is None
    assert page.answer.header("Content-Security-Policy") == POLICY


def test_pages_comply_with_their_content_security_policy(latchkey: TestApp) -> None:
    """No page has an inline script, style or handler, a data: URL, or a resource of another host."""
    site = create_place(latchkey)
    for route in SHOWN:
        latchkey.clock.forward(1)
        page = site.console.open(site.path(route))
        assert not [name for name in page.content.attributes if name == "style" or name.startswith("on")], page.target
        assert not re.search(r"<style|javascript:|data:", page.html), page.target
        assert set(re.findall(r"<script[^>]*>(.*?)</script>", page.html, re.DOTALL)) <= {""}, page.target
        assert [url for url in page.urls if not url.startswith(("/", "#"))] == [], page.target
        assert [url for url in page.urls if url.startswith("//")] == [], page.target


def test_cookies_over_https_are_bound_to_this_host(latchkey: TestApp) -> None:
    """Cookies over HTTPS have `__Host-`, `Path=/`, Secure, HttpOnly and SameSite=Lax."""
    account = new_account()
    console = ConsoleClient(latchkey)
    shown = console.open("/login")
    inside = console.log_in(account.email)
    attributes = "Path=/; HttpOnly; SameSite=Lax; Max-Age={}; Secure"
    assert [_masked(cookie) for cookie in shown.set_cookies] == [
        f"__Host-latchkey-visit=…; {attributes.format(86_400)}"
    ]
    assert sorted(_masked(cookie) for cookie in inside.set_cookies) == [
        f"__Host-latchkey-device=…; {attributes.format(365 * 86_400)}",
        f"__Host-latchkey-visit=; {attributes.format(0)}",
        f"__Host-latchkey=…; {attributes.format(14 * 86_400)}",
    ]


def _masked(cookie: str) -> str:
    return re.sub(r"^(\S+?)=\w+;", r"\1=…;", cookie)


def test_cookies_on_loopback_do_without_https(latchkey: TestApp) -> None:
    """On plain HTTP, cookies have neither `Secure` nor `__Host-`, which browsers would reject there."""
    account = new_account()
    with settings.override(replace(settings.current(), public_url=LOOPBACK)):
        console = ConsoleClient(latchkey, origin=LOOPBACK)
        page = console.log_in(account.email)
        assert console.follow(page).status == 200
    session = next(cookie for cookie in page.set_cookies if cookie.startswith("latchkey=lk_se_"))
    assert session.partition("; ")[2] == "Path=/; HttpOnly; SameSite=Lax; Max-Age=1209600"


def test_cookie_without_the_host_prefix_is_ignored_over_https(latchkey: TestApp) -> None:
    """Over HTTPS a cookie without `__Host-`, which a neighbouring host could set, is ignored."""
    console = log_in_as(latchkey, new_account())
    console.cookies = {"latchkey": console.session}
    assert console.open("/settings/account").status == 303


def test_session_cookie_is_no_credential_of_the_api(latchkey: TestApp) -> None:
    """The session cookie gives no access to /v1, so another site's page can't use it, and /v1 sets no cookie."""
    console = log_in_as(latchkey, new_account())
    cookie = {"Cookie": f"__Host-latchkey={console.session}"}
    assert latchkey.call("GET", "/v1/users/me", headers=cookie).status == 401
    assert latchkey.call("GET", "/v1/users/me", console.session).status == 401
    response = latchkey.call("GET", "/v1/users/me", latchkey.key(new_account()).secret)
    assert response.header("Set-Cookie") is None


@pytest.mark.parametrize("cookie", ["", ";;=;", "a=b; __Host-latchkey", "__Host-latchkey=" + "x" * 4_000, "é=ü; =; ;"])
def test_any_cookie_header_is_accepted(latchkey: TestApp, cookie: str) -> None:
    """A page is shown whatever other cookies the browser sends."""
    assert ConsoleClient(latchkey).open("/login", Cookie=cookie).status == 200


def test_static_files_are_cached_for_a_year_and_not_counted(latchkey: TestApp) -> None:
    """Static files have a content hash in their name, are cached for a year, and aren't rate limited."""
    console = ConsoleClient(latchkey)
    files = [url for url in console.open("/").urls if url.startswith("/static/")]
    assert sorted(re.sub(r"\.[0-9a-f]{12}\.", ".", file) for file in files) == sorted(
        f"/static/{name}" for name in ("copy.js", "icon.svg", "latchkey.css")
    )
    with telemetry.record_calls() as calls:
        for file in files:
            response = console.open(file).answer
            assert response.status == 200
            assert response.header("Cache-Control") == "public, max-age=31536000, immutable"
            assert response.header("X-Content-Type-Options") == "nosniff"
            assert response.header("Content-Type") == assets.TYPES["." + file.rpartition(".")[2]]
            assert response.header("Set-Cookie") is None
    assert calls.made == []


@pytest.mark.parametrize(
    "name", ["latchkey.css", "latchkey.000000000000.css", "..%2f..%2fapp.py", "%2e%2e", "assets.py", "nothing.css"]
)
def test_unknown_static_file_is_not_found(latchkey: TestApp, name: str) -> None:
    """A static file is served only under its full current name, not under an old hash or in another folder."""
    with telemetry.record_calls() as calls:
        response = ConsoleClient(latchkey).open(f"/static/{name}").answer
    assert (response.status, calls.made) == (404, [])
    assert "immutable" not in str(response.headers)
