"""What administrators see and do: find an account, its tier, suspension, reinstatement; each with a reason."""

import pytest
import requests
from playwright.sync_api import Page, expect

from tests.browser.browser_users import BrowserUsers
from tests.browser.console import Console
from tests.browser.page_catalog import Cast

pytestmark = pytest.mark.xdist_group("browser")

AUTHORIZER_REMEMBERS_S = 300


@pytest.fixture
def admin(users: BrowserUsers, console: Console) -> Page:
    """An administrator's browser, which runs no scripts."""
    return users.member(console.person("Grace", admin=True), javascript=False)


def test_admin_finds_suspends_and_reinstates(admin: Page, users: BrowserUsers, console: Console) -> None:
    """A suspended account's key and session stop at once; reinstated, its key works again; both are on record."""
    person = console.person("Mallory")
    key = console.key(person)
    theirs = users.member(person)
    theirs.goto("/settings/keys")
    expect(theirs.get_by_role("heading", level=1)).to_have_text("API Keys")
    assert console.status(key.secret) == 200

    _find(admin, person.email)
    expect(admin.get_by_role("table", name="Keys")).to_contain_text(key.secret[-4:])
    assert key.secret not in admin.content()
    _decide(admin, "Suspend", "Sends spam, see ticket 4711")
    expect(admin.get_by_role("status")).to_be_visible()
    expect(admin.get_by_text("Suspended", exact=True)).to_be_visible()
    assert console.status(key.secret) == 401
    theirs.reload()
    expect(theirs.get_by_role("heading", level=1)).to_have_text("Log in")

    _decide(admin, "Reinstate", "It was a mistake")
    expect(admin.get_by_text("Active", exact=True)).to_be_visible()
    console.forward(AUTHORIZER_REMEMBERS_S)
    assert console.status(key.secret) == 200
    record = admin.get_by_role("table", name="Recent events")
    expect(record).to_contain_text("Sends spam, see ticket 4711")
    expect(record).to_contain_text("It was a mistake")


def test_admin_sets_the_tier_for_a_reason(admin: Page, console: Console) -> None:
    """A new tier is confirmed, shown and recorded; the key has its limits with the next request."""
    person = console.person("Ada")
    key = console.key(person)
    _find(admin, person.id)
    admin.get_by_label("Tier").select_option("Pro")
    _decide(admin, "Set tier", "Bought Pro")
    expect(admin.get_by_role("status")).to_have_text("Account changed. The change applies from its next request.")
    expect(admin.get_by_role("table", name="Recent events")).to_contain_text("Bought Pro")
    answer = requests.get(f"{console.url}/v1/users/me", headers={"Authorization": f"Bearer {key.secret}"}, timeout=60)
    assert answer.headers["X-RateLimit-Limit"] == "10000"


def test_reason_is_needed(admin: Page, console: Console) -> None:
    """A reason that says nothing is refused, and nothing changes."""
    person = console.person("Ada")
    _find(admin, person.email)
    _decide(admin, "Suspend", "  ?  ")
    expect(admin.get_by_role("alert")).to_contain_text("Reason")
    _find(admin, person.email)
    expect(admin.get_by_text("Active", exact=True)).to_be_visible()


def test_unknown_account_is_said_to_be_unknown(admin: Page) -> None:
    """Who searches in vain is told so and keeps what was typed."""
    _find(admin, "nobody@example.com")
    expect(admin.get_by_role("alert")).to_be_visible()
    expect(admin.get_by_label("Email or account ID")).to_have_value("nobody@example.com")


def test_busiest_and_most_refused_are_listed(admin: Page, cast: Cast) -> None:
    """The accounts of the last 24 hours lead to their pages."""
    busy = cast.ada
    assert cast.keys
    admin.goto("/admin")
    for table in ("Most rejected, last 24 hours", "Busiest, last 24 hours"):
        row = admin.get_by_role("table", name=table).get_by_role("row").filter(has_text=busy.email)
        expect(row).to_contain_text("2,200")
    admin.get_by_role("link", name=busy.email).first.click()
    expect(admin.get_by_role("main")).to_contain_text(busy.id)


def test_admin_pages_are_not_there_for_others(users: BrowserUsers, console: Console) -> None:
    """Someone without the flag sees neither the link nor the pages."""
    person = console.person()
    page = users.member(person)
    for path in ("/admin", f"/admin/accounts/{person.id}"):
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
