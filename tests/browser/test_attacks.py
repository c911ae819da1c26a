"""Attacks through a user's browser: frames, scripts in names, redirects, planted cookies, forged forms."""

from collections.abc import Iterator
from urllib.parse import quote

import pytest
import requests
from playwright.sync_api import Page, expect

from tests.browser import applications
from tests.browser.browser_users import BrowserUsers, log_in, session_of, set_session
from tests.browser.console import PASSWORD, Console
from tests.browser.site import Site, serve_site
from tests.support import exhaustive

pytestmark = pytest.mark.xdist_group("browser")

HOSTILE = (
    "'\"><img src=x onerror=alert(1)>{{7*7}}",
    "</title></textarea>&lt;b&gt;<script>alert(1)</script>{% raw %}",
)
ELSEWHERE = (
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/%09/evil.example",
    "/.//evil.example",
    "/settings/../..//evil.example",
    "https:evil.example",
    "https://evil.example",
    "@evil.example",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
)
PLANTED = """() => [
    ...document.querySelectorAll('script:not([src*="/static/"]), img, svg[onload], iframe, object, embed, base'),
    ...[...document.querySelectorAll('*')].filter(({attributes}) => [...attributes].some(({name}) => /^on/.test(name))),
].map(element => element.outerHTML)"""
"""Elements that no page of the console has; scripts that run or are blocked are detected separately."""


@pytest.fixture
def evil() -> Iterator[Site]:
    """A site on another port of the same host: another origin, but the same site for cookies."""
    with serve_site() as serving:
        yield serving


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_escaped(name: str, users: BrowserUsers, console: Console) -> None:
    """Markup and template syntax in names and reasons is text on every page, including admin pages."""
    user = console.user(name)
    key = console.key(user, name=name)
    page = users.logged_in(user)
    _fail_on_dialogs(page)
    page.goto("/settings/keys")
    expect(page.get_by_role("link", name=name, exact=True)).to_be_visible()
    _nothing_planted(page)
    page.goto(f"/settings/keys/{key.id}")
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    expect(page).to_have_title(f"{name} · Latchkey")
    page.get_by_role("textbox", name="Name").fill(f"{name}!")
    page.get_by_role("button", name="Rename").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"{name}!")
    _nothing_planted(page)
    page.get_by_role("link", name="Rotate…").click()
    page.get_by_role("button", name="Rotate key").click()
    expect(page.get_by_text(f"{name}!", exact=True)).to_be_visible()
    _nothing_planted(page)
    requests.get(f"{console.url}/v1/users/me", headers={"Authorization": f"Bearer {key.secret}"}, timeout=60)
    for path in (
        "/settings/usage",
        "/settings/account",
        "/settings/accounts",
        "/settings/profile",
        f"/settings/keys/{key.id}/revoke",
    ):
        page.goto(path)
        _nothing_planted(page)

    admin = users.logged_in(console.user("Grace", admin=True))
    _fail_on_dialogs(admin)
    admin.goto(f"/admin/accounts/{user.id}")
    expect(admin.get_by_role("heading", level=1)).to_have_text(name)
    expect(admin.get_by_role("table", name="Members").get_by_role("cell", name=name, exact=True)).to_be_visible()
    admin.locator("#tier-reason").fill(name)
    admin.get_by_role("button", name="Set tier").click()
    expect(admin.get_by_role("table", name="Recent events").get_by_role("cell", name=name, exact=True)).to_be_visible()
    _nothing_planted(admin)


@pytest.mark.parametrize("name", HOSTILE)
def test_names_of_applications_are_escaped(name: str, users: BrowserUsers, console: Console) -> None:
    """The name of a client, which its developer chooses and other users see, is shown as text."""
    page = users.logged_in(console.user())
    _fail_on_dialogs(page)
    applications.register(page, console, name)
    _nothing_planted(page)
    page.get_by_role("link", name="I have stored it").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    _nothing_planted(page)
    page.goto("/settings/applications")
    expect(page.get_by_role("link", name=name, exact=True)).to_be_visible()
    _nothing_planted(page)

    client_id = applications.register_dynamically(console, name)
    page.goto(applications.authorize_url(console, client_id, "read"))
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Allow “{name}”?")
    _nothing_planted(page)
    page.goto(f"/device?user_code={applications.start_device(console, client_id).user_code}")
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Connect “{name}”?")
    _nothing_planted(page)
    page.get_by_role("button", name="Allow").click()
    expect(page.get_by_role("status")).to_contain_text(name)
    _nothing_planted(page)
    page.goto("/settings/connected")
    expect(page.get_by_role("rowheader")).to_contain_text(name)
    _nothing_planted(page)


@pytest.mark.parametrize("text", HOSTILE)
def test_values_of_forms_and_links_are_escaped(text: str, users: BrowserUsers, console: Console) -> None:
    """Submitted values and query parameters are shown as text or not at all."""
    page = users.anonymous()
    _fail_on_dialogs(page)
    query = quote(text)
    for path in (
        f"/?done={query}",
        f"/login?done={query}",
        f"/login?next={query}",
        f"/login?next=/{query}",
        f"/signup?next=/{query}",
        f"/verify?ticket={query}",
        f"/password?ticket={query}",
        f"/device?user_code={query}",
        f"/settings/keys?done={query}",
    ):
        page.goto(path)
        _nothing_planted(page)

    page.goto("/signup")
    page.locator("form").first.evaluate("form => form.noValidate = true")
    page.get_by_label("Email").fill(text)
    page.get_by_label("Your name").fill(text)
    page.get_by_label("Password").fill("short")
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_label("Your name")).to_have_value(text)
    _nothing_planted(page)

    users.start_session(page, console.user(admin=True))
    page.goto(f"/admin?find={query}")
    expect(page.get_by_label("Email or account ID")).to_have_value(text)
    _nothing_planted(page)
    page.goto("/settings/keys/new")
    page.get_by_role("textbox", name="Name").fill(text * 3)
    page.locator("[name=name]").evaluate("(field, text) => { field.value = text }", text * 9)
    page.get_by_role("button", name="Generate key").click()
    expect(page.get_by_role("main")).to_be_visible()
    _nothing_planted(page)


@pytest.mark.parametrize(
    "elsewhere", ["//evil.example", "/\\evil.example", "https:evil.example", "javascript:alert(1)"]
)
def test_log_in_never_redirects_to_another_site(elsewhere: str, users: BrowserUsers, console: Console) -> None:
    """After log-in the user is redirected to a page of the console, whatever the link's `next` parameter is."""
    page = users.anonymous()
    _fail_on_dialogs(page)
    page.goto(f"/login?next={quote(elsewhere)}")
    log_in(page, console.user().email)
    expect(page.get_by_role("heading", level=1)).to_have_text("API Keys")
    assert page.url == f"{console.url}/settings/keys"


def test_log_in_page_of_a_logged_in_user_never_redirects_to_another_site(users: BrowserUsers, console: Console) -> None:
    """The log-in page redirects a logged-in user to the console immediately, whatever the `next` parameter is."""
    page = users.logged_in(console.user())
    _fail_on_dialogs(page)
    for elsewhere in ELSEWHERE:
        page.goto(f"/login?next={quote(elsewhere)}")
        assert page.url.startswith(f"{console.url}/"), elsewhere
        assert not page.url.startswith(f"{console.url}/login"), elsewhere


def test_pages_are_not_shown_in_frames(users: BrowserUsers, console: Console, evil: Site) -> None:
    """A page of another origin that frames the console, for clickjacking, shows an error instead."""
    users.allowed_origins.add(evil.origin)
    page = users.logged_in(console.user())
    evil.show(
        f"""for (const path of ["/", "/login", "/settings/account"]) {{
            const frame = document.createElement("iframe");
            frame.src = "{console.url}" + path;
            document.body.append(frame);
        }}""",
        {},
    )
    page.goto(evil.origin, wait_until="load")
    frames = page.frames[1:]
    assert len(frames) == 3
    for frame in frames:
        frame.wait_for_url("chrome-error://chromewebdata/")
        assert frame.locator("form").count() == 0
    assert ["frame-ancestors 'none'" in fault for fault in users.expect_faults(page, 3)] == [True] * 3


def test_forged_form_changes_nothing(users: BrowserUsers, console: Console, evil: Site) -> None:
    """A form from another origin with the user's cookies is rejected, with and without the CSRF token."""
    users.allowed_origins.add(evil.origin)
    page = users.logged_in(console.user("Ada"))
    page.goto("/settings/account")
    token, account = (page.locator(f"[name={name}]").first.input_value() for name in ("csrf", "account"))
    for stolen in ("", token):
        evil.show(
            f"""const form = document.createElement("form");
            form.method = "post";
            form.action = "{console.url}/settings/account/name";
            form.innerHTML = `<input name="name" value="Mallory"><input name="csrf" value="{stolen}">
                <input name="account" value="{account}">`;
            document.body.append(form);
            form.submit();""",
            {},
        )
        page.goto(evil.origin)
        page.wait_for_url(f"{console.url}/**")
        expect(page.get_by_role("main")).to_contain_text("This form has expired or was sent from another site.")
    page.goto("/settings/account")
    expect(page.get_by_label("Account name")).to_have_value("Ada")


def test_token_of_another_session_is_rejected(users: BrowserUsers, console: Console) -> None:
    """A CSRF token from an attacker's session isn't valid for other users."""
    theirs = users.logged_in(console.user("Mallory"))
    theirs.goto("/settings/account")
    token = theirs.locator("[name=csrf]").first.input_value()
    page = users.logged_in(console.user("Ada"))
    page.goto("/settings/account")
    page.locator("[name=csrf]").evaluate_all("(fields, token) => fields.forEach(field => field.value = token)", token)
    page.get_by_label("Account name").fill("Mallory")
    page.get_by_role("button", name="Change name").click()
    expect(page.get_by_role("main")).to_contain_text("This page has expired.")


@pytest.mark.parametrize("planted", exhaustive.after(1, ["the attacker's", "made up"]))
def test_planted_session_is_not_the_one_after_log_in(planted: str, users: BrowserUsers, console: Console) -> None:
    """A log-in replaces a planted session by a new one, whose cookie is HttpOnly, and ends the planted session."""
    mallory, ada = console.user("Mallory"), console.user("Ada")
    secret = console.session(mallory) if planted == "the attacker's" else "lk_se_planted"
    page = users.anonymous()
    set_session(page.context, console, secret)
    page.goto("/login")
    if planted == "the attacker's":
        # The victim finds the attacker logged in, and either logs out first or logs in directly: both must be
        # safe.
        expect(page.get_by_role("banner")).to_contain_text(mallory.email)
        page.get_by_role("button", name="Log out").click()
        set_session(page.context, console, "lk_se_planted")
        page.goto("/login")
    log_in(page, ada.email, PASSWORD)
    expect(page.get_by_role("banner")).to_contain_text(ada.email)
    assert session_of(page) not in (None, secret, "lk_se_planted")
    cookie = next(cookie for cookie in page.context.cookies() if cookie.get("name") == "latchkey")
    assert (cookie.get("httpOnly"), cookie.get("sameSite"), cookie.get("path")) == (True, "Lax", "/")
    attacker = users.anonymous()
    set_session(attacker.context, console, secret)
    attacker.goto("/settings/keys")
    expect(attacker.get_by_role("heading", level=1)).to_have_text("Log in")


def test_policy_blocks_injected_scripts(users: BrowserUsers, console: Console) -> None:
    """The Content-Security-Policy blocks injected inline scripts, event handlers and files of other hosts."""
    users.allowed_origins.add("https://evil.example")
    page = users.logged_in(console.user())
    page.goto("/settings/keys")
    page.evaluate(
        """() => {
            const run = (name, fields) =>
                document.body.append(Object.assign(document.createElement(name), fields));
            run("script", {textContent: "window.ran = true"});
            run("script", {src: "https://evil.example/x.js"});
            run("img", {src: "https://evil.example/x.png"});
            const styled = "<p style='position: fixed' onclick='window.ran = true'>x</p>";
            document.body.insertAdjacentHTML("beforeend", styled);
            document.body.lastChild.click();
        }"""
    )
    assert page.evaluate("window.ran") is None
    assert page.evaluate("getComputedStyle(document.body.lastChild).position") == "static"
    faults = users.expect_faults(page, 5)
    for refused in ("script-src", "style-src", "img-src"):
        assert any(refused in fault for fault in faults), refused


def test_redirect_has_the_headers_of_a_page(console: Console) -> None:
    """Redirects, errors and unknown pages have the same Content-Security-Policy as every page."""
    for path in ("/", "/settings/keys", "/login", "/verify?ticket=x", "/settings"):
        response = requests.get(console.url + path, allow_redirects=False, timeout=60)
        assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"], path
        assert "default-src 'none'" in response.headers["Content-Security-Policy"], path
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "same-origin"
        assert response.headers["Cache-Control"] == "no-store"


def _fail_on_dialogs(page: Page) -> None:
    """Fail immediately if a script of a page opens a dialog."""

    def opened(_: object) -> None:
        raise AssertionError("A script of the page ran.")

    page.on("dialog", opened)


def _nothing_planted(page: Page) -> None:
    assert page.evaluate(PLANTED) == []
