"""With a stage prefix or a custom domain, every link, form, redirect and file has the right path."""

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

import pytest

from app import app
from chalicelib.accounts import find as find_accounts
from chalicelib.core import settings
from chalicelib.credentials import find
from infra.local_gateway.gateway import Gateway
from tests.support.console_client import PASSWORD, ConsoleClient, Page, new_account
from tests.support.harness import TestApp
from tests.support.mailbox import Mailbox

DOMAIN = "abc123.execute-api.us-east-1.amazonaws.com"
STAGED = f"https://{DOMAIN}"
FORGED = {
    "Host": "evil.example.net",
    "X_Forwarded_Host": "evil.example.net",
    "X_Forwarded_Proto": "http",
    "X_Forwarded_Port": "8080",
    "X_Forwarded_Prefix": "/evil",
    "X_Forwarded_For": "192.0.2.66",
    "X_Original_URL": "/admin",
    "Forwarded": "for=192.0.2.66;host=evil.example.net;proto=http",
}


@dataclass
class StagedGateway(Gateway):
    """API Gateway's own domain. The path in the request context begins with the stage, and the path of the event
    doesn't.
    """

    def _event(self, *request: Any) -> dict[str, Any]:
        event = super()._event(*request)
        event["requestContext"]["path"] = f"/api{event['path']}"
        return event


@pytest.fixture(params=["configured", "from_context"])
def staged(latchkey: TestApp, request: pytest.FixtureRequest) -> Any:
    """A TestApp under `/api`. It knows this prefix from its configured URL or from API Gateway's request context."""
    latchkey.gateway = StagedGateway(app, domain=DOMAIN)
    url = f"{STAGED}/api" if request.param == "configured" else ""
    with settings.override(replace(settings.current(), public_url=url)):
        yield latchkey


def crawl(latchkey: TestApp, console: ConsoleClient, start: str = "/") -> dict[str, Page]:
    """Open every page that is reachable by links from `start`, and assert that each path begins with the prefix."""
    seen: dict[str, Page] = {}
    ahead = [start]
    while ahead:
        target = ahead.pop()
        if target in seen:
            continue
        latchkey.clock.forward(1)
        page = seen[target] = console.open(target)
        assert page.status in (200, 303), (target, page.status)
        if page.location:
            ahead.append(console.local(page.location))
            continue
        if page.answer.header("Content-Type") != "text/html; charset=utf-8":
            continue
        actions = {form.action for form in page.content.forms if form.method == "post"}
        for url in page.urls:
            if not url.startswith("#"):
                path = console.local(url)
                ahead += [] if url in actions else [path]
    return seen


def test_every_path_is_under_the_stage(staged: TestApp) -> None:
    """No link leaves the prefix `/api/`, for anonymous and logged-in users, and every linked file exists."""
    anonymous = ConsoleClient(staged, STAGED, "/api")
    assert {"/", "/login", "/signup", "/forgot"} <= crawl(staged, anonymous).keys()
    account = new_account(admin=True)
    key = staged.key(account)
    inside = ConsoleClient(staged, STAGED, "/api")
    page = inside.log_in(account.email)
    assert page.location == "/api/settings"
    seen = crawl(staged, inside, inside.local(page.location))
    wanted = {"/settings/keys", "/settings/keys/new", f"/settings/keys/{key.key.id}", "/settings/usage", "/admin"}
    assert wanted | {f"/settings/keys/{key.key.id}/revoke", "/settings/account"} <= seen.keys()
    assert any(target.startswith("/static/") for target in seen)


def test_all_forms_work_under_the_stage(staged: TestApp, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The forms of the console work under a prefix, from sign-up to log-out."""
    folder = tmp_path_factory.mktemp("mail")
    with settings.override(replace(settings.current(), mail_folder=str(folder))):
        console = ConsoleClient(staged, STAGED, "/api")
        console.submit("/signup", email="ada@example.com", name="Ada", password=PASSWORD)
        message = Mailbox(folder).take_one()
        assert message.link.startswith(f"{STAGED}/api/verify?ticket=")
        assert console.follow(console.submit(message.target.removeprefix("/api"))).heading == "API Keys"
    console.submit("/logout", on="/settings/account")
    sent = console.open("/settings/usage")
    assert sent.location == "/api/login?next=%2Fsettings%2Fusage"
    form = console.open(console.local(sent.location))
    fields = console.fill(form, "/login", {"email": "ada@example.com", "password": PASSWORD})
    assert console.send("/login", fields).location == "/api/settings/usage"
    created = console.submit("/settings/keys/new", name="CI")
    assert f"{STAGED}/api/v1/users/me" in created.text
    assert staged.call("GET", "/v1/users/me", created.secrets[0]).status == 200
    (account_id,) = find_accounts.user_by_email("ada@example.com").account_ids or {""}
    (key,) = find.keys_of(account_id)
    path = f"/settings/keys/{key.id}"
    assert console.submit(f"{path}/rename", on=path, name="Web").location == f"/api{path}?done=renamed"
    assert console.submit(f"{path}/revoke").location == "/api/settings/keys?done=revoked"
    assert console.submit("/logout", on="/settings/account").location == "/api/login?done=logged-out"


def test_cookies_under_the_stage_are_for_the_whole_host(staged: TestApp) -> None:
    """Cookies have `Path=/` under a prefix, because browsers reject `__Host-` cookies with another path."""
    for cookie in ConsoleClient(staged, STAGED, "/api").open("/login").set_cookies:
        assert cookie.startswith("__Host-")
        assert "; Path=/; " in cookie


def test_quick_start_under_the_stage_can_be_copied(staged: TestApp) -> None:
    """The quick start on the landing page shows the URL with the prefix."""
    assert f"{STAGED}/api/v1/users/me" in ConsoleClient(staged, STAGED, "/api").open("/").text


def test_error_pages_under_the_stage_have_their_stylesheet(staged: TestApp) -> None:
    """Error pages under a prefix have their stylesheet, even those that don't read the session."""
    console = ConsoleClient(staged, STAGED, "/api")
    pages = [console.open("/verify?ticket=nonsense"), *(console.open("/") for _ in range(51))]
    assert pages[-1].status == 429
    for page in (pages[0], pages[-1]):
        files = [url for url in page.urls if "/static/" in url]
        assert files
        assert all(console.open(console.local(file)).status == 200 for file in files)


@pytest.mark.parametrize("how", ["configured", "from_context"])
def test_request_headers_do_not_change_urls(latchkey: TestApp, how: str) -> None:
    """No link, form, redirect or email is built from Host, X-Forwarded-* or Forwarded."""
    url = "https://api.example.com" if how == "configured" else ""
    latchkey.gateway = Gateway(app, domain="api.example.com")
    with settings.override(replace(settings.current(), public_url=url)):
        console = ConsoleClient(latchkey)
        console.open("/login")
        for target in ("/", "/login", "/signup", "/settings/keys", "/verify?ticket=x"):
            plain, forged = console.open(target), console.open(target, **FORGED)
            assert (plain.status, plain.location, plain.html) == (forged.status, forged.location, forged.html)
            assert "evil" not in str(forged.answer.headers)


def test_emails_are_not_built_from_request_headers(latchkey: TestApp, box: Mailbox) -> None:
    """Request headers can't change the host of a link in an email."""
    account = new_account()
    console = ConsoleClient(latchkey)
    form = console.fill(console.open("/forgot"), "/forgot", {"email": account.email})
    headers = {name.replace("_", "-"): value for name, value in FORGED.items()}
    cookies = "; ".join(f"{name}={value}" for name, value in console.cookies.items())
    headers |= {"Origin": console.origin, "Cookie": cookies, "Content-Type": "application/x-www-form-urlencoded"}
    latchkey.call("POST", "/forgot", headers=headers, body=urlencode(form, doseq=True).encode())
    assert box.take_one().link.startswith("https://api.example.com/password?ticket=")


def test_origin_of_a_forged_host_is_rejected(latchkey: TestApp) -> None:
    """An Origin that matches a forged Host header is rejected as another site."""
    console = ConsoleClient(latchkey)
    form = console.fill(console.open("/login"), "/login", {"email": "a@example.com", "password": PASSWORD})
    assert console.send("/login", form, origin="https://evil.example.net").status == 403
