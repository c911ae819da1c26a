"""Admin pages in a browser: find an account, set its tier, suspend and reinstate it with a reason."""

import pytest
import requests
from playwright.sync_api import Page, expect

from tests.browser.browser_users import BrowserUsers
from tests.browser.cast import Cast
from tests.browser.console import Console

pytestmark = pytest.mark.xdist_group("browser")

AUTHORIZER_REMEMBERS_S = 300


@pytest.fixture
def admin(users: BrowserUsers, console: Console) -> Page:
    """The browser of an administrator, without JavaScript."""
    return users.logged_in(console.user("Grace", admin=True), javascript=False)


def test_admin_finds_suspends_and_reinstates(admin: Page, users: BrowserUsers, console: Console) -> None:
    """A suspended account's key stops working immediately and its pages are closed; both work again after the
    reinstatement.
    """
    user = console.user("Mallory")
    key = console.key(user)
    theirs = users.logged_in(user)
    theirs.goto("/settings/keys")
    expect(theirs.get_by_role("heading", level=1)).to_have_text("API Keys")
    assert console.status(key.secret) == 200

    _find(admin, user.email)
    expect(admin.get_by_role("table", name="Keys")).to_contain_text(key.secret[-4:])
    assert key.secret not in admin.content()
    _decide(admin, "Suspend", "Sends spam, see ticket 4711")
    expect(admin.get_by_role("status")).to_be_visible()
    expect(admin.get_by_text("Suspended", exact=True)).to_be_visible()
    assert console.status(key.secret) == 401
    theirs.reload()
    expect(theirs.get_by_role("heading", level=1)).to_have_text("Access denied")
    theirs.goto("/settings/profile")
    expect(theirs.get_by_role("heading", level=1)).to_have_text("Profile")

    _decide(admin, "Reinstate", "It was a mistake")
    expect(admin.locator(".heading").get_by_text("Active", exact=True)).to_be_visible()
    console.forward(AUTHORIZER_REMEMBERS_S)
    assert console.status(key.secret) == 200
    theirs.goto("/settings/keys")
    expect(theirs.get_by_role("heading", level=1)).to_have_text("API Keys")
    record = admin.get_by_role("table", name="Recent events")
    expect(record).to_contain_text("Sends spam, see ticket 4711")
    expect(record).to_contain_text("It was a mistake")


def test_admin_sets_the_tier_with_a_reason(admin: Page, console: Console) -> None:
    """A new tier is confirmed, shown and recorded, and applies from the next request."""
    user = console.user("Ada")
    key = console.key(user)
    _find(admin, user.id)
    admin.get_by_label("Tier").select_option("Pro")
    _decide(admin, "Set tier", "Bought Pro")
    expect(admin.get_by_role("status")).to_have_text("Account changed. The change applies from its next request.")
    expect(admin.get_by_role("table", name="Recent events")).to_contain_text("Bought Pro")
    response = requests.get(f"{console.url}/v1/users/me", headers={"Authorization": f"Bearer {key.secret}"}, timeout=60)
    assert response.headers["X-RateLimit-Limit"] == "10000"


def test_reason_is_required(admin: Page, console: Console) -> None:
    """A change with a reason that is too short is rejected, and nothing changes."""
    user = console.user("Ada")
    _find(admin, user.email)
    _decide(admin, "Suspend", "  ?  ")
    expect(admin.get_by_role("alert")).to_contain_text("Reason")
    _find(admin, user.email)
    expect(admin.locator(".heading").get_by_text("Active", exact=True)).to_be_visible()


def test_unknown_account_is_not_found(admin: Page) -> None:
    """A search without a result shows an error and keeps the search text."""
    _find(admin, "nobody@example.com")
    expect(admin.get_by_role("alert")).to_be_visible()
    expect(admin.get_by_label("Email or account ID")).to_have_value("nobody@example.com")


def test_busiest_and_most_rejected_accounts_are_listed(admin: Page, cast: Cast) -> None:
    """The busiest and most rejected accounts of the last 24 hours are listed with links to their pages."""
    busy = cast.ada
    assert cast.keys
    admin.goto("/admin")
    for table in ("Most rejected, last 24 hours", "Busiest, last 24 hours"):
        row = admin.get_by_role("table", name=table).get_by_role("row").filter(has_text=busy.name)
        expect(row).to_contain_text("2,200")
    admin.get_by_role("link", name=busy.name).first.click()
    expect(admin.get_by_role("main")).to_contain_text(busy.id)


def test_admin_pages_do_not_exist_for_others(users: BrowserUsers, console: Console) -> None:
    """A user without the admin flag gets "Page not found" for admin pages, and no link to them."""
    user = console.user()
    page = users.logged_in(user)
    for path in ("/admin", f"/admin/accounts/{user.id}"):
        page.goto(path)
        expect(page.get_by_role("heading", level=1)).to_have_text("Page not found")
        expect(page.get_by_role("link", name="Admin")).to_have_count(0)


def _find(admin: Page, wanted: str) -> None:
    admin.goto("/admin")
    admin.get_by_label("Email or account ID").fill(wanted)
    admin.get_by_role("button", name="Find account").click()


def _decide(admin: Page, button: str, reason: str) -> None:
    if button == "Suspend":
        admin.get_by_role("link", name="Suspend…").click()
    form = admin.locator("form").filter(has=admin.get_by_role("button", name=button, exact=True))
    form.get_by_label("Reason").fill(reason)
    form.get_by_role("button", name=button).click()
