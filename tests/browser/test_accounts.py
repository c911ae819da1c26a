"""Account pages in a browser: links in emails, passwords, deletion. The main flows also run without JavaScript."""

import pytest
from playwright.sync_api import expect

from tests.browser.browser_users import BrowserUsers, log_in, session_of, set_session
from tests.browser.cast import Cast
from tests.browser.console import PASSWORD, Console

pytestmark = pytest.mark.xdist_group("browser")

OTHER_PASSWORD = "seven quiet lanterns dancing"


def test_link_in_an_email_confirms_the_address_once(users: BrowserUsers, console: Console) -> None:
    """Opening the link in an email doesn't consume it; its button confirms the address once."""
    page = users.anonymous(javascript=False)
    email = "grace.hopper@example.com"
    page.goto("/signup")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Your name").fill("Grace")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("status")).to_contain_text(email)
    link = console.link(email)
    for _ in range(2):  # an email scanner opens the link first
        page.goto(link)
        expect(page.get_by_role("main")).to_contain_text(email)
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("status")).to_have_text("Email address confirmed.")
    page.goto("/settings/profile")
    expect(page.get_by_text("Confirmed", exact=True)).to_be_visible()
    page.goto(link)
    expect(page.get_by_role("heading", level=1)).to_have_text("Link no longer valid")
    expect(page.get_by_role("main")).to_contain_text("Request a new one.")


def test_link_sent_again_confirms_too(users: BrowserUsers, console: Console) -> None:
    """A user whose address isn't verified can request another link on the profile page, and that link verifies the
    address.
    """
    user = console.user(verified=False)
    page = users.logged_in(user)
    page.goto("/settings/profile")
    page.get_by_role("button", name="Send confirmation link").click()
    expect(page.get_by_role("status")).to_contain_text("a new link")
    page.goto(console.link(user.email))
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("status")).to_contain_text("confirmed")


def test_forgotten_password_is_reset_by_a_link(users: BrowserUsers, console: Console) -> None:
    """The link in a reset email leads to a form for a new password. Then only the new password works."""
    user = console.user()
    page = users.anonymous(javascript=False)
    page.goto("/login")
    page.get_by_role("link", name="Forgot your password?").click()
    page.get_by_label("Email").fill(user.email)
    page.get_by_role("button", name="Send reset link").click()
    expect(page.get_by_role("status")).to_contain_text(user.email)
    page.goto(console.link(user.email))
    page.get_by_role("textbox", name="New password").fill(OTHER_PASSWORD)
    page.get_by_role("button", name="Set password").click()
    expect(page.get_by_role("status")).to_have_text("Password set. Log in with your new password.")
    log_in(page, user.email)
    expect(page.get_by_role("alert")).to_have_text("Incorrect email or password.")
    expect(page.get_by_label("Email")).to_have_value(user.email)
    log_in(page, user.email, OTHER_PASSWORD)
    expect(page.get_by_role("heading", level=1)).to_have_text("API Keys")


def test_password_reset_of_an_unknown_address_looks_the_same(users: BrowserUsers, console: Console) -> None:
    """A password reset shows the same page for an unknown address as for a known one, and sends no email to the unknown
    address.
    """
    page = users.anonymous()
    texts = []
    for email in (console.user().email, "nobody.at.all@example.com"):
        page.goto("/forgot")
        page.get_by_label("Email").fill(email)
        page.get_by_role("button", name="Send reset link").click()
        texts.append(page.get_by_role("status").inner_text().replace(email, "…"))
    assert texts[0] == texts[1]
    assert console.emails("nobody.at.all@example.com") == []


def test_changed_password_ends_the_other_session(users: BrowserUsers, console: Console) -> None:
    """The browser that changes the password stays logged in, other sessions end, and the user gets an email."""
    user = console.user()
    here, there = users.logged_in(user, javascript=False), users.logged_in(user)
    there.goto("/settings/usage")
    expect(there.get_by_role("heading", level=1)).to_have_text("Usage")
    here.goto("/settings/profile")
    here.get_by_label("Current password").fill(PASSWORD)
    here.get_by_role("textbox", name="New password").fill(OTHER_PASSWORD)
    here.get_by_role("button", name="Change password").click()
    expect(here.get_by_role("status")).to_have_text("Password changed. All other sessions have ended.")
    there.reload()
    expect(there.get_by_role("heading", level=1)).to_have_text("Log in")
    here.reload()
    expect(here.get_by_role("heading", level=1)).to_have_text("Profile")
    assert "our password was changed" in console.emails(user.email)[-1]


def test_wrong_password_shows_its_error_in_its_form_only(users: BrowserUsers, console: Console) -> None:
    """A wrong password shows an error in its own form only and changes nothing."""
    page = users.logged_in(console.user())
    page.goto("/settings/account")
    card = page.locator("section").filter(has=page.get_by_role("heading", name="Delete account"))
    card.get_by_label("Your password").fill("not the one")
    card.get_by_role("button", name="Delete this account").click()
    expect(card.get_by_role("alert")).to_have_text("Incorrect password.")
    expect(page.get_by_role("alert")).to_have_count(1)


def test_address_changes_when_its_link_is_used(users: BrowserUsers, console: Console) -> None:
    """The link for a change of address is sent to the new address; after its use the old address gets a notice."""
    user = console.user()
    page = users.logged_in(user)
    page.goto("/settings/profile")
    page.get_by_label("New email").fill(f"new.{user.email}")
    page.locator("#email-password").fill(PASSWORD)
    page.get_by_role("button", name="Change email").click()
    expect(page.get_by_role("status")).to_contain_text("we have sent a link to it.")
    expect(page.get_by_role("banner")).to_contain_text(user.email)
    page.goto(console.link(f"new.{user.email}"))
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("status")).to_have_text("Email address changed.")
    expect(page.get_by_role("banner")).to_contain_text(f"new.{user.email}")
    assert f"changed to new.{user.email}" in console.emails(user.email)[-1]


def test_deleted_account_and_its_keys_stop_working(users: BrowserUsers, console: Console) -> None:
    """The keys of a deleted account stop working. Its owner stays logged in, creates another account, and can delete
    themselves only without an account.
    """
    user = console.user()
    key = console.key(user)
    assert console.status(key.secret) == 200
    page = users.logged_in(user, javascript=False)
    page.goto("/settings/profile")
    page.locator("#delete-password").fill(PASSWORD)
    page.get_by_role("button", name="Delete my user").click()
    expect(page.get_by_role("alert")).to_have_text("You still belong to an account. Leave it or delete it first.")
    page.goto("/settings/account")
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Delete this account").click()
    expect(page.get_by_role("status")).to_have_text("The account is deleted.")
    assert console.status(key.secret) == 401
    page.get_by_label("Account name").fill("Next")
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_role("status")).to_have_text("Account created. You are its owner.")


def test_deleted_user_cannot_log_in(users: BrowserUsers, console: Console) -> None:
    """A deleted user is logged out, and their address and password no longer work."""
    user = console.user()
    console.delete_account(user)
    page = users.logged_in(user, javascript=False)
    page.goto("/settings/profile")
    page.locator("#delete-password").fill(PASSWORD)
    page.get_by_role("button", name="Delete my user").click()
    expect(page.get_by_role("status")).to_have_text("Your user is deleted.")
    log_in(page, user.email)
    expect(page.get_by_role("alert")).to_have_text("Incorrect email or password.")


def test_two_tabs_change_their_own_accounts(users: BrowserUsers, console: Console) -> None:
    """Two tabs of one browser show two accounts, and each form changes the account that its page shows."""
    user, other = console.user("Ada"), console.user("Bea")
    console.add_member(other, user, "admin")
    first = users.logged_in(user, javascript=False)
    first.goto("/settings/account")
    second = first.context.new_page()
    second.goto("/settings/accounts")
    second.get_by_role("button", name="Open Bea").click()
    expect(second.get_by_role("link", name="Bea (switch account)")).to_be_visible()
    second.goto("/settings/account")
    for tab, before, after in ((first, "Ada", "One"), (second, "Bea", "Two")):
        expect(tab.get_by_label("Account name")).to_have_value(before)
        tab.get_by_label("Account name").fill(after)
        tab.get_by_role("button", name="Change name").click()
        expect(tab.get_by_role("status")).to_have_text("Name changed.")
        expect(tab.get_by_role("link", name=f"{after} (switch account)")).to_be_visible()


def test_log_out_invalidates_copies_of_the_session(users: BrowserUsers, console: Console) -> None:
    """A log-out deletes the cookie and invalidates copies of the session; the back button shows no page."""
    page = users.logged_in(console.user())
    page.goto("/settings/account")
    secret = session_of(page)
    assert secret
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("status")).to_have_text("You are logged out.")
    assert session_of(page) is None
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("Log in")
    attacker = users.anonymous()
    set_session(attacker.context, console, secret)
    attacker.goto("/settings/account")
    expect(attacker.get_by_role("heading", level=1)).to_have_text("Log in")


def test_log_in_leads_to_the_requested_page(users: BrowserUsers, console: Console) -> None:
    """An anonymous user logs in first and then gets the requested page."""
    user = console.user()
    page = users.anonymous()
    page.goto("/settings/account?done=renamed")
    log_in(page, user.email)
    expect(page.get_by_role("heading", level=1)).to_have_text("Account")
    assert page.url == f"{console.url}/settings/account?done=renamed"


def test_too_many_attempts_show_the_wait_and_lock_no_known_device_out(users: BrowserUsers, console: Console) -> None:
    """A caller who guesses passwords has to wait, while the user can log in with a known device."""
    user = console.user()
    at_home, anonymous = users.anonymous(), users.anonymous()
    at_home.goto("/login")
    log_in(at_home, user.email)
    expect(at_home.get_by_role("heading", level=1)).to_have_text("API Keys")
    at_home.get_by_role("button", name="Log out").click()
    anonymous.goto("/login")
    for _ in range(3):
        log_in(anonymous, user.email, "guessed wrong again")
        expect(anonymous.get_by_role("alert")).to_be_visible()
    expect(anonymous.get_by_role("alert")).to_contain_text("Too many attempts. Try again in")
    log_in(at_home, user.email)
    expect(at_home.get_by_role("heading", level=1)).to_have_text("API Keys")


def test_unused_account_is_shown_how_to_start(users: BrowserUsers, console: Console) -> None:
    """The usage page of an unused account links to the keys."""
    page = users.logged_in(console.user())
    page.goto("/settings/usage")
    page.get_by_role("link", name="Generate a key").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("API Keys")


def test_chart_shows_the_values_of_the_bar_under_the_pointer(users: BrowserUsers, cast: Cast) -> None:
    """The values of the bar under the pointer are shown below the chart, and the table contains all values."""
    assert cast.keys
    page = users.logged_in(cast.ada)
    page.goto("/settings/usage")
    day = page.locator("section").filter(has=page.get_by_role("heading", name="Last 24 hours"))
    day.locator("g").last.hover()
    expect(day.locator(".readout")).to_have_text("14:00 UTC: 2,409 admitted, 0 rejected")
    day.get_by_text("Show as a table").click()
    expect(day.get_by_role("row", name="14:00 UTC")).to_contain_text("2,409")
    expect(day.get_by_role("row")).to_have_count(25)
