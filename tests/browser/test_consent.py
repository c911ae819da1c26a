"""OAuth consent in a browser: users approve or deny a client, are redirected to it, and revoke its access."""

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser import applications
from tests.browser.browser_users import BrowserUsers, log_in
from tests.browser.console import Console, User
from tests.browser.onward import Hop, serve_chain

pytestmark = pytest.mark.xdist_group("browser")

CLIENT_SITE = "https://ledger.example"
"""The client's own site."""


@pytest.fixture
def user(console: Console) -> User:
    """The user who is asked for consent."""
    return console.user("Ada")


@pytest.fixture
def authorization_url(users: BrowserUsers, console: Console) -> str:
    """The authorization URL of a client that belongs to another user's account."""
    back = f"{CLIENT_SITE}/back"
    client_id = applications.register(users.logged_in(console.user("Grace")), console, "Ledger sync", back)
    return applications.authorize_url(console, client_id, "read write", back)


def test_user_logs_in_approves_and_is_redirected(users: BrowserUsers, user: User, authorization_url: str) -> None:
    """After the user's approval the client gets a code. The next request returns a code without a consent page."""
    page = _serve_callback(users.anonymous(javascript=False), users)
    page.goto(authorization_url)
    log_in(page, user.email)
    expect(page.get_by_role("heading", level=1)).to_have_text("Allow “Ledger sync”?")
    expect(page.get_by_role("main").get_by_role("list")).to_contain_text("Change your own name")
    page.get_by_role("button", name="Allow").click()
    assert "code" in _redirect_parameters(page)

    elsewhere = _serve_callback(users.anonymous(javascript=False), users)
    elsewhere.goto(authorization_url)
    log_in(elsewhere, user.email)
    assert "code" in _redirect_parameters(elsewhere)


def test_user_of_two_accounts_selects_one(users: BrowserUsers, console: Console, authorization_url: str) -> None:
    """The consent page offers both accounts; the app is then connected to the selected one only."""
    user = console.user("Lin")
    own = users.logged_in(user)
    own.goto(f"{console.url}/settings/accounts")
    own.get_by_label("Account name").fill("Byron Ltd")
    own.get_by_role("button", name="Create account").click()
    page = _serve_callback(own, users)
    page.goto(authorization_url)
    expect(page.get_by_role("radio")).to_have_count(2)
    expect(page.get_by_role("radio", name="Byron Ltd")).to_be_checked()
    page.get_by_role("radio", name="Lin").check()
    page.get_by_role("button", name="Allow").click()
    assert "code" in _redirect_parameters(page)
    own.goto(f"{console.url}/settings/connected")
    expect(own.get_by_role("main")).to_contain_text("No connected apps")


@pytest.fixture
def hops(users: BrowserUsers) -> Iterator[list[Hop]]:
    """A chain of three origins, of which each redirects to the next."""
    with serve_chain() as served:
        users.allowed_origins |= {hop.origin for hop in served}
        yield served


@pytest.mark.parametrize("decision", ["Allow", "Deny"])
def test_decision_follows_redirects_of_the_callback(
    users: BrowserUsers, console: Console, user: User, hops: list[Hop], decision: str
) -> None:
    """After a decision the browser follows the callback's redirects to a second and a third origin (fastmcp#3369)."""
    client_id = applications.register_dynamically(console, "Proxy", hops[0].url)
    page = users.anonymous(javascript=False)
    page.goto(applications.authorize_url(console, client_id, "read", hops[0].url))
    log_in(page, user.email)
    page.get_by_role("button", name=decision).click()
    page.wait_for_url(f"{hops[-1].url}?**")
    assert ("code" if decision == "Allow" else "error") in parse_qs(urlsplit(page.url).query)
    expect(page).to_have_title("Arrived")


def test_log_in_follows_redirects_of_the_callback(
    users: BrowserUsers, console: Console, user: User, hops: list[Hop]
) -> None:
    """If an authorization request has an error, the log-in form redirects to the client without a consent page."""
    maker = users.logged_in(console.user("Grace"))
    client_id = applications.register(maker, console, "Ledger sync", hops[0].url)
    page = users.anonymous(javascript=False)
    page.goto(applications.authorize_url(console, client_id, "nonsense", hops[0].url))
    log_in(page, user.email)
    page.wait_for_url(f"{hops[-1].url}?**")
    assert parse_qs(urlsplit(page.url).query)["error"] == ["invalid_scope"]
    expect(page).to_have_title("Arrived")


def test_user_denies(users: BrowserUsers, user: User, authorization_url: str) -> None:
    """If the user denies, the client gets access_denied, and no app is connected."""
    page = _serve_callback(users.logged_in(user), users)
    page.goto(authorization_url)
    page.get_by_role("button", name="Deny").click()
    assert _redirect_parameters(page)["error"] == ["access_denied"]
    page.goto(f"{users.console.url}/settings/connected")
    expect(page.get_by_role("heading", name="No connected apps")).to_be_visible()


def test_user_disconnects_a_device(users: BrowserUsers, console: Console, user: User) -> None:
    """A connected device is listed, and its token is invalid after the user disconnects the device."""
    client_id = applications.register_dynamically(console, "Television")
    device = applications.start_device(console, client_id)
    page = users.logged_in(user)
    page.goto("/device")
    page.get_by_label("Code").fill(device.user_code)
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("its name hasn't been checked")).to_be_visible()
    page.get_by_role("button", name="Allow").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Device connected")
    token = device.token(console)
    assert console.status(token) == 200

    page.get_by_role("link", name="Connected apps").click()
    row = page.get_by_role("row").filter(has_text="Television")
    expect(row).to_contain_text("This hour")
    row.get_by_role("link", name="Disconnect Television").click()
    page.get_by_role("button", name="Disconnect").click()
    expect(page.get_by_role("status")).to_contain_text("App disconnected.")
    assert console.status(token) == 401


def test_wrong_user_code_is_rejected_and_kept(users: BrowserUsers, user: User) -> None:
    """The error about a wrong user code is shown at its field, and the field still contains the code."""
    page = users.logged_in(user)
    page.goto("/device?user_code=BCDF-GHJK")
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_label("Code")).to_have_value("BCDF-GHJK")


def test_application_is_changed_rotated_and_deleted(users: BrowserUsers, console: Console, user: User) -> None:
    """A page confirms each action on an application. The new secret is shown once and can be copied."""
    page = users.logged_in(user)
    applications.register(page, console, "Ledger sync")
    first = page.get_by_label("Client secret").input_value()
    page.get_by_role("link", name="I have stored it").click()
    assert first not in page.content()
    page.get_by_role("textbox", name="Name").fill("Ledger")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_have_text("Application saved.")
    page.get_by_role("link", name="Rotate secret…").click()
    page.get_by_role("button", name="Rotate secret").click()
    expect(page.get_by_role("main")).to_contain_text("The old one has stopped working.")
    page.locator("[data-copies=secret]").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    second = page.get_by_label("Client secret").input_value()
    assert (page.evaluate("navigator.clipboard.readText()"), second == first) == (second, False)
    page.get_by_role("link", name="I have stored it").click()
    page.get_by_role("link", name="Delete application…").click()
    page.get_by_role("button", name="Delete application").click()
    expect(page.get_by_role("status")).to_contain_text("Application deleted.")
    expect(page.get_by_role("heading", name="No applications yet")).to_be_visible()


def _serve_callback(page: Page, users: BrowserUsers) -> Page:
    """Serve the client's site in a browser; return the page."""
    users.allowed_origins.add(CLIENT_SITE)
    page.context.route(
        f"{CLIENT_SITE}/**", lambda route: route.fulfill(content_type="text/html", body="<title>Back</title>")
    )
    return page


def _redirect_parameters(page: Page) -> dict[str, list[str]]:
    """Return the parameters of the redirect to the client."""
    page.wait_for_url(f"{CLIENT_SITE}/back?**")
    response = parse_qs(urlsplit(page.url).query)
    assert response["state"] == ["af0ifjsldkj"]
    return response
