"""What people do with their accounts: links by mail, passwords, leaving. The main ways are gone without JavaScript."""

import pytest
from playwright.sync_api import expect

from tests.browser.browser_users import BrowserUsers, log_in, session_of, set_session
from tests.browser.console import PASSWORD, Console
from tests.browser.page_catalog import Cast

pytestmark = pytest.mark.xdist_group("browser")

OTHER_PASSWORD = "seven quiet lanterns dancing"


def test_link_by_mail_confirms_the_address_once(users: BrowserUsers, console: Console) -> None:
    """Looking at the link spends nothing; its button does, says so, and works no second time."""
    page = users.guest(javascript=False)
    email = "grace.hopper@example.com"
    page.goto("/signup")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Your name").fill("Grace")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("status")).to_contain_text(email)
    link = console.link(email)
    for _ in range(2):  # a mail scanner first
        page.goto(link)
        expect(page.get_by_role("main")).to_contain_text(email)
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("status")).to_have_text("Your email address is confirmed.")
    page.goto("/settings/account")
    expect(page.get_by_text("Confirmed", exact=True)).to_be_visible()
    page.goto(link)
    expect(page.get_by_role("heading", level=1)).to_have_text("This link is spent")
    expect(page.get_by_role("main")).to_contain_text("Ask for another one.")


def test_link_sent_again_confirms_too(users: BrowserUsers, console: Console) -> None:
    """Who lost the first mail asks for another on the account's page."""
    person = console.person(verified=False)
    page = users.member(person)
    page.goto("/settings/account")
    page.get_by_role("button", name="Send a link to confirm it").click()
    expect(page.get_by_role("status")).to_contain_text("another link")
    page.goto(console.link(person.email))
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("status")).to_contain_text("confirmed")


def test_forgotten_password_is_replaced_by_a_link(users: BrowserUsers, console: Console) -> None:
    """The link leads to a form, the form to the log-in, and only the new password opens the account."""
    person = console.person()
    page = users.guest(javascript=False)
    page.goto("/login")
    page.get_by_role("link", name="Forgot your password?").click()
    page.get_by_label("Email").fill(person.email)
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_role("status")).to_contain_text(person.email)
    page.goto(console.link(person.email))
    page.get_by_role("textbox", name="New password").fill(OTHER_PASSWORD)
    page.get_by_role("button", name="Set the password").click()
    expect(page.get_by_role("status")).to_have_text("Your password is set. Log in with it.")
    log_in(page, person.email)
    expect(page.get_by_role("alert")).to_have_text("Incorrect email or password.")
    expect(page.get_by_label("Email")).to_have_value(person.email)
    log_in(page, person.email, OTHER_PASSWORD)
    expect(page.get_by_role("heading", level=1)).to_have_text("API Keys")


def test_forgotten_password_of_nobody_is_answered_alike(users: BrowserUsers, console: Console) -> None:
    """The page says the same of an address that nobody has, and sends nothing."""
    page = users.guest()
    said = []
    for email in (console.person().email, "nobody.at.all@example.com"):
        page.goto("/forgot")
        page.get_by_label("Email").fill(email)
        page.get_by_role("button", name="Send the link").click()
        said.append(page.get_by_role("status").inner_text().replace(email, "…"))
    assert said[0] == said[1]
    assert console.letters("nobody.at.all@example.com") == []


def test_changed_password_ends_the_other_session(users: BrowserUsers, console: Console) -> None:
    """This browser goes on; the other one has to log in again, and gets a letter to know why."""
    person = console.person()
    here, there = users.member(person, javascript=False), users.member(person)
    there.goto("/settings/usage")
    expect(there.get_by_role("heading", level=1)).to_have_text("Usage")
    here.goto("/settings/account")
    here.get_by_label("Current password").fill(PASSWORD)
    here.get_by_role("textbox", name="New password").fill(OTHER_PASSWORD)
    here.get_by_role("button", name="Change password").click()
    expect(here.get_by_role("status")).to_have_text("Your password is changed. Every other session was ended.")
    there.reload()
    expect(there.get_by_role("heading", level=1)).to_have_text("Log in")
    here.reload()
    expect(here.get_by_role("heading", level=1)).to_have_text("Account")
    assert "your password was changed" in console.letters(person.email)[-1]


def test_wrong_password_changes_nothing_and_says_so_where_it_was_asked(users: BrowserUsers, console: Console) -> None:
    """The sentence stands in the form that was refused, and in no other."""
    page = users.member(console.person())
    page.goto("/settings/account")
    card = page.locator("section").filter(has=page.get_by_role("heading", name="Delete account"))
    card.get_by_label("Your password").fill("not the one")
    card.get_by_role("button", name="Delete my account").click()
    expect(card.get_by_role("alert")).to_have_text("Incorrect password.")
    expect(page.get_by_role("alert")).to_have_count(1)


def test_new_address_counts_when_its_link_is_used(users: BrowserUsers, console: Console) -> None:
    """A link goes to the new address; when it is used the account moves there, and the old address hears of it."""
    person = console.person()
    page = users.member(person)
    page.goto("/settings/account")
    page.get_by_label("New email").fill(f"new.{person.email}")
    page.locator("#email-password").fill(PASSWORD)
    page.get_by_role("button", name="Change email").click()
    expect(page.get_by_role("status")).to_contain_text("we have sent a link there.")
    expect(page.get_by_role("banner")).to_contain_text(person.email)
    page.goto(console.link(f"new.{person.email}"))
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("status")).to_have_text("Your email address is changed.")
    expect(page.get_by_role("banner")).to_contain_text(f"new.{person.email}")
    assert f"changed to new.{person.email}" in console.letters(person.email)[-1]


def test_deleted_account_is_gone_with_its_keys(users: BrowserUsers, console: Console) -> None:
    """Its key stops, its session is over, and nobody can log in any more."""
    person = console.person()
    key = console.key(person)
    assert console.status(key.secret) == 200
    page = users.member(person, javascript=False)
    page.goto("/settings/account")
    page.locator("#delete-password").fill(PASSWORD)
    page.get_by_role("button", name="Delete my account").click()
    expect(page.get_by_role("status")).to_have_text("Your account is deleted.")
    assert console.status(key.secret) == 401
    log_in(page, person.email)
    expect(page.get_by_role("alert")).to_have_text("Incorrect email or password.")


def test_log_out_ends_the_session_everywhere_it_was_copied_to(users: BrowserUsers, console: Console) -> None:
    """The cookie is gone, the way back shows nothing, and the old cookie opens nothing in another browser."""
    page = users.member(console.person())
    page.goto("/settings/account")
    secret = session_of(page)
    assert secret
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("status")).to_have_text("You are logged out.")
    assert session_of(page) is None
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("Log in")
    thief = users.guest()
    set_session(thief.context, console, secret)
    thief.goto("/settings/account")
    expect(thief.get_by_role("heading", level=1)).to_have_text("Log in")


def test_log_in_leads_to_the_page_that_was_asked_for(users: BrowserUsers, console: Console) -> None:
    """Who isn't logged in is asked to, and arrives where they wanted to be."""
    person = console.person()
    page = users.guest()
    page.goto("/settings/account?done=renamed")
    log_in(page, person.email)
    expect(page.get_by_role("heading", level=1)).to_have_text("Account")
    assert page.url == f"{console.url}/settings/account?done=renamed"


def test_too_many_attempts_say_when_to_come_back_and_lock_no_known_device_out(
    users: BrowserUsers, console: Console
) -> None:
    """A stranger who guesses is told to wait; the owner, on a browser that logged in before, is let in."""
    person = console.person()
    at_home, stranger = users.guest(), users.guest()
    at_home.goto("/login")
    log_in(at_home, person.email)
    expect(at_home.get_by_role("heading", level=1)).to_have_text("API Keys")
    at_home.get_by_role("button", name="Log out").click()
    stranger.goto("/login")
    for _ in range(3):
        log_in(stranger, person.email, "guessed wrong again")
        expect(stranger.get_by_role("alert")).to_be_visible()
    expect(stranger.get_by_role("alert")).to_contain_text("Too many attempts. Come back in")
    log_in(at_home, person.email)
    expect(at_home.get_by_role("heading", level=1)).to_have_text("API Keys")


def test_usage_starts_with_what_to_do(users: BrowserUsers, console: Console) -> None:
    """Nothing used yet: the page says how to begin."""
    page = users.member(console.person())
    page.goto("/settings/usage")
    page.get_by_role("link", name="Generate a key").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("API Keys")


def test_plot_says_what_the_bar_under_the_pointer_stands_for(users: BrowserUsers, cast: Cast) -> None:
    """With scripts the numbers stand below the plot at once; the table beside it has them all."""
    assert cast.keys
    page = users.member(cast.ada)
    page.goto("/settings/usage")
    day = page.locator("section").filter(has=page.get_by_role("heading", name="Last 24 hours"))
    day.locator("g").last.hover()
    expect(day.locator(".readout")).to_have_text("14:00 UTC: 2,409 admitted, 0 refused")
    day.get_by_text("As a table").click()
    expect(day.get_by_role("row", name="14:00 UTC")).to_contain_text("2,409")
    expect(day.get_by_role("row")).to_have_count(25)
