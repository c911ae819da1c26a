"""Two people and two accounts in a browser: invite, accept, switch, generate a key, remove; and two tabs.

The journey also runs with the keyboard alone, on a narrow screen.
"""

import pytest
from playwright.sync_api import Page, expect

from tests.browser import axe
from tests.browser.browser_users import BrowserUsers, log_in
from tests.browser.console import Console

pytestmark = pytest.mark.xdist_group("browser")


def invite(page: Page, email: str, role: str = "Developer") -> None:
    page.goto("/settings/members")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Role").select_option(role)
    page.get_by_role("button", name="Invite").click()
    expect(page.get_by_role("status")).to_contain_text("Invitation sent.")


def generate_key(page: Page, name: str) -> str:
    page.goto("/settings/keys/new")
    page.get_by_role("textbox", name="Name").fill(name)
    page.get_by_role("button", name="Generate key").click()
    return page.locator("#secret").input_value()


def test_two_people_share_an_account_until_one_is_removed(users: BrowserUsers, console: Console) -> None:
    ada, grace = console.user("Ada"), console.user("Grace")
    owner, guest = users.logged_in(ada, javascript=False), users.logged_in(grace, width=390, javascript=False)
    invite(owner, grace.email)
    guest.goto(console.link(grace.email))
    expect(guest.get_by_role("heading", level=1)).to_have_text("Join “Ada”")
    guest.get_by_role("button", name="Join").click()
    expect(guest.get_by_role("status")).to_have_text("You have joined the account.")
    own = generate_key(open_account(guest, "Grace"), "Own")
    shared = generate_key(open_account(guest, "Ada"), "Shared")
    assert (console.status(own), console.status(shared)) == (200, 200)
    owner.goto("/settings/members")
    owner.get_by_role("link", name="Manage Grace").click()
    owner.get_by_role("button", name="Remove").click()
    expect(owner.get_by_role("status")).to_have_text("Member removed.")
    assert (console.status(own), console.status(shared)) == (200, 401)
    guest.goto("/settings/accounts")
    expect(guest.get_by_role("table")).to_contain_text("Grace")
    expect(guest.get_by_role("table")).not_to_contain_text("Ada")


def open_account(page: Page, name: str) -> Page:
    """Open an account of the user, if another one is open."""
    page.goto("/settings/accounts")
    row = page.get_by_role("row").filter(has_text=name)
    if row.get_by_role("button").count():
        row.get_by_role("button").click()
    page.goto("/settings/accounts")
    expect(row.get_by_text("Current", exact=True)).to_be_visible()
    return page


def test_a_form_acts_on_the_account_of_its_own_tab(users: BrowserUsers, console: Console) -> None:
    ada, grace = console.user("Ada"), console.user("Grace")
    invite(users.logged_in(ada), grace.email, "Admin")
    first = users.logged_in(grace)
    first.goto(console.link(grace.email))
    first.get_by_role("button", name="Join").click()
    open_account(first, "Grace").goto("/settings/keys/new")
    second = first.context.new_page()
    open_account(second, "Ada")
    first.get_by_role("textbox", name="Name").fill("Made in the first tab")
    first.get_by_role("button", name="Generate key").click()
    expect(first.get_by_role("heading", level=1)).to_have_text("Your new key")
    first.goto("/settings/keys")
    expect(first.get_by_role("link", name="Grace (switch account)")).to_be_visible()
    expect(first.get_by_role("main")).to_contain_text("Made in the first tab")
    open_account(second, "Ada").goto("/settings/keys")
    expect(second.get_by_role("main")).not_to_contain_text("Made in the first tab")


def test_an_invited_person_without_a_user_joins_by_keyboard(users: BrowserUsers, console: Console) -> None:
    email = "alan.turing@example.com"
    invite(users.logged_in(console.user("Ada")), email, "Viewer")
    page = users.anonymous(width=390)
    page.goto(console.link(email))
    assert axe.find_violations(page) == []
    page.get_by_label("Your name").focus()
    page.keyboard.type("Alan")
    page.keyboard.press("Tab")
    page.keyboard.type("violet harbour tin whistle")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("You have joined the account.")
    log_in(page, email)
    expect(page.get_by_role("heading", level=1)).to_have_text("Usage")
    page.goto("/settings/keys")
    expect(page.get_by_role("heading", level=1)).to_have_text("Access denied")


@pytest.mark.parametrize("width", [390, 1280])
def test_pages_of_members_are_accessible_and_fit(users: BrowserUsers, console: Console, width: int) -> None:
    ada, grace = console.user("Ada"), console.user("Grace")
    page = users.logged_in(ada, width=width)
    invite(page, grace.email)
    for path in ("/settings/members", "/settings/accounts", "/settings/account", "/settings/profile"):
        page.goto(path)
        assert axe.find_violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
