"""Sign-up, log-in, log-out, and the page after log-in."""

from dataclasses import replace
from urllib.parse import urlencode

import pytest

from chalicelib.accounts import email_links, sessions
from chalicelib.core import settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.pages import labels
from tests.support.console_client import PASSWORD, ConsoleClient, log_in_as, new_account
from tests.support.harness import TestApp
from tests.support.mailbox import Mailbox

OUTSIDE = (
    "https://evil.example.net/",
    "//evil.example.net/",
    "///evil.example.net/",
    "/\\evil.example.net/",
    "\\\\evil.example.net/",
    "/\t/evil.example.net/",
    "/\r\nLocation: https://evil.example.net/",
    "/settings\x00",
    "evil.example.net",
    "javascript:alert(1)",
    "/ä",
    "",
)
OTHER = "harmonica wolverine custard"
WITH_ROOM = "/settings"


def test_user_signs_up_confirms_and_is_logged_in(latchkey: TestApp, box: Mailbox) -> None:
    """A user signs up, confirms the address and is logged in, following the links of each page and email."""
    console = ConsoleClient(latchkey)
    page = console.submit("/signup", email="Ada@Example.com", name="Ada", password=PASSWORD)
    assert (page.status, page.heading) == (200, "Check your email")
    assert "Ada@Example.com" in page.notice
    shown = console.open(box.take_one().target)
    assert (shown.heading, shown.status) == ("Confirm your email address", 200)
    confirmed = console.follow(console.send("/verify", console.fill(shown, "/verify", {})))
    assert (confirmed.target, confirmed.notice) == (
        "/settings/keys?done=confirmed",
        "Email address confirmed.",
    )
    assert (confirmed.heading, "No keys yet" in confirmed.text) == ("API Keys", True)
    assert ConsoleClient(latchkey).log_in("ada@example.com").location == "/settings"


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"email": "no address"}, "Email must be an address like name@example.com."),
        ({"name": " "}, "Name must be a text of 1 to 100 characters on one line."),
        ({"name": "x" * 101}, "Name must be a text of 1 to 100 characters on one line."),
        ({"password": "short"}, "Choose a password of 12 to 256 characters."),
        ({"password": "passwordpassword"}, "This password is too easy to guess. Choose another."),
    ],
)
def test_rejected_sign_up_shows_its_error_and_keeps_its_values(
    latchkey: TestApp, fields: dict[str, str], problem: str
) -> None:
    """A rejected sign-up shows its error and keeps name and address in the form, but not the password."""
    typed = {"email": "ada@example.com", "name": "Ada", "password": PASSWORD} | fields
    page = ConsoleClient(latchkey).submit("/signup", **typed)
    assert (page.status, page.problem) == (400, problem)
    assert page.value("/signup", "email") == typed["email"]
    assert page.value("/signup", "name") == typed["name"]
    assert page.value("/signup", "password") == ""
    assert typed["password"] not in page.html


def test_wrong_log_in_keeps_the_address_and_does_not_name_the_wrong_field(latchkey: TestApp) -> None:
    """A failed log-in keeps the address in the form, and doesn't say whether address or password is wrong."""
    new_account(email="ada@example.com")
    page = ConsoleClient(latchkey).log_in("ada@example.com", "not the password at all")
    assert (page.status, page.problem) == (401, "Incorrect email or password.")
    assert page.value("/login", "email") == "ada@example.com"
    assert "not the password" not in page.html


@pytest.mark.parametrize(("seconds", "when"), [(0, "60 minutes"), (1_801, "30 minutes"), (3_550, "1 minute")])
def test_page_shows_when_to_retry(latchkey: TestApp, seconds: int, when: str) -> None:
    """The page for a rate-limited request states the wait in minutes, and the Retry-After header states it in
    seconds.
    """
    latchkey.clock.forward(seconds)
    console = ConsoleClient(latchkey)
    with settings.override(replace(settings.current(), log_in_attempts_per_email=1)):
        assert console.log_in("ada@example.com", "wrong").status == 401
        page = console.log_in("ada@example.com", "wrong")
    assert (page.status, page.problem) == (429, f"Too many attempts. Try again in {when}.")
    assert page.answer.header("Retry-After") == str(3_600 - seconds)


def test_known_device_is_not_locked_out(latchkey: TestApp) -> None:
    """Users can log in with a known device even if others have used up the attempts for their address."""
    account = new_account()
    owner = ConsoleClient(latchkey)
    owner.log_in(account.email)
    owner.submit("/logout", on="/settings/account")
    with settings.override(replace(settings.current(), log_in_attempts_per_email=2)):
        anonymous = ConsoleClient(latchkey)
        statuses = [anonymous.log_in(account.email, "wrong").status for _ in range(2)]
        assert statuses == [401, 429]
        assert ConsoleClient(latchkey).log_in(account.email).status == 429
        assert owner.log_in(account.email).status == 303


@pytest.mark.parametrize("how", ["change", "reset"])
def test_browser_that_set_a_new_password_is_not_locked_out(latchkey: TestApp, how: str) -> None:
    """The browser that sets a new password is a known device again; all others are forgotten."""
    account = new_account()
    owner, elsewhere = ConsoleClient(latchkey), ConsoleClient(latchkey)
    for console in (owner, elsewhere):
        console.log_in(account.email)
    if how == "change":
        typed = {"password": PASSWORD, "new_password": OTHER}
        assert owner.submit("/settings/profile/password", on="/settings/profile", **typed).status == 303
    else:
        link = email_links.new_link(
            account.user_id, email_links.SET_PASSWORD, email=account.email, epoch=account.user.session_epoch
        )
        assert owner.submit(f"/password?ticket={link}", password=OTHER).status == 303
    with settings.override(replace(settings.current(), log_in_attempts_per_email=2)):
        for _ in range(2):
            ConsoleClient(latchkey).log_in(account.email, "wrong")
        for console, status in ((elsewhere, 429), (owner, 303)):
            console.cookies = {name: kept for name, kept in console.cookies.items() if "device" in name}
            assert console.log_in(account.email, OTHER).status == status


def test_network_is_the_64_of_an_ipv6_address(latchkey: TestApp) -> None:
    """Log-in attempts from an IPv6 address are counted for its /64."""
    account = new_account()
    with settings.override(replace(settings.current(), log_in_attempts_per_network=1)):
        assert ConsoleClient(latchkey, ip="2001:db8:1:1::1").log_in(account.email, "wrong").status == 401
        assert ConsoleClient(latchkey, ip="2001:db8:1:1:ffff::2").log_in(account.email).status == 429
        assert ConsoleClient(latchkey, ip="2001:db8:1:2::1").log_in(account.email).status == 303


def test_log_in_always_starts_a_new_session(latchkey: TestApp) -> None:
    """A log-in always starts a new session, even if the browser has a valid session or one from an attacker."""
    account, attacker = new_account(), new_account(name="Eve")
    planted = sessions.open_session(attacker.user)
    console = ConsoleClient(latchkey)
    for before in ("lk_se_" + "0" * 36, planted, ""):
        console.cookies["__Host-latchkey"] = before or console.session
        taken = console.session
        # The form's token comes from the sign-up page, because the log-in page redirects a logged-in browser.
        form = console.fill(console.open("/signup"), "/signup", {"email": account.email, "password": PASSWORD})
        assert console.send("/login", form).status == 303
        assert console.session not in (taken, planted)
        assert sessions.session_of(taken) is None
    found = sessions.session_of(console.session)
    assert found is not None
    assert found.user.id == account.user_id


def test_log_in_from_a_known_device_keeps_its_cookie(latchkey: TestApp) -> None:
    """A log-in from a known device keeps its device cookie."""
    account = new_account()
    console = ConsoleClient(latchkey)
    console.log_in(account.email)
    device = console.cookies["__Host-latchkey-device"]
    console.submit("/logout", on="/settings/account")
    page = console.log_in(account.email)
    assert not [cookie for cookie in page.set_cookies if "device" in cookie]
    assert console.cookies["__Host-latchkey-device"] == device


def test_log_out_ends_the_session_with_a_notice(latchkey: TestApp) -> None:
    """A log-out deletes the cookie, and a copy of the cookie is no longer valid."""
    console = log_in_as(latchkey, new_account())
    copied = console.session
    page = console.submit("/logout", on="/settings/account")
    assert (page.status, page.location) == (303, "/login?done=logged-out")
    assert "__Host-latchkey" not in console.cookies
    assert console.follow(page).notice == "You are logged out."
    assert sessions.session_of(copied) is None


def test_log_in_returns_to_the_requested_page(latchkey: TestApp) -> None:
    """An anonymous user is redirected to log-in and then to the requested page, with its query."""
    account = new_account()
    console = ConsoleClient(latchkey)
    sent = console.open("/settings/usage?a=1&a=ü&b=%2F")
    assert sent.status == 303
    form = console.open(console.local(sent.location))
    page = console.send("/login", console.fill(form, "/login", {"email": account.email, "password": PASSWORD}))
    assert page.location == "/settings/usage?a=1&a=%C3%BC&b=%2F"
    assert console.follow(page).heading == "Usage"


def test_form_with_an_expired_session_redirects_to_log_in(latchkey: TestApp) -> None:
    """A form that is sent after the session expired isn't processed; the user must log in and send it again."""
    account = new_account()
    console = log_in_as(latchkey, account)
    form = console.fill(console.open("/settings/account"), "/settings/account/name", {"name": "Eve"})
    latchkey.clock.forward(12 * 3_600)
    page = console.send("/settings/account/name", form)
    assert (page.status, page.location) == (303, "/login?next=%2Fsettings%2Faccount")


@pytest.mark.parametrize("after", OUTSIDE)
def test_next_never_redirects_to_another_site(latchkey: TestApp, after: str) -> None:
    """A `next` that leads outside the console is replaced by a page of the console, after log-in and in the log-in
    form.
    """
    target = f"/login?{urlencode({'next': after})}"
    assert log_in_as(latchkey, new_account()).open(target).location == WITH_ROOM
    assert ConsoleClient(latchkey).open(target).value("/login", "next") == WITH_ROOM


def test_next_of_the_form_never_redirects_to_another_site(latchkey: TestApp) -> None:
    """The `next` field of the form is checked like the query parameter."""
    account = new_account()
    for after in OUTSIDE[:4]:
        assert ConsoleClient(latchkey).log_in(account.email, next=after).location == WITH_ROOM
    assert ConsoleClient(latchkey).log_in(account.email, next="/settings/usage").location == "/settings/usage"


def test_landing_page_shows_the_base_url(latchkey: TestApp) -> None:
    """The landing page shows a quick start with the base URL; logged-in users get a link to their keys."""
    page = ConsoleClient(latchkey).open("/")
    assert "https://api.example.com/v1/users/me" in page.text
    assert {"/signup", "/login"} <= set(page.urls)
    inside = log_in_as(latchkey, new_account()).open("/")
    assert "/settings/keys" in inside.urls
    assert "/signup" not in inside.urls


def test_forgotten_password_is_reset_by_email(latchkey: TestApp, box: Mailbox) -> None:
    """A user requests a link, sets a new password and logs in with it; the old password fails."""
    account = new_account()
    console = ConsoleClient(latchkey)
    page_after = console.submit("/forgot", email=account.email)
    assert (page_after.status, account.email in page_after.notice) == (200, True)
    message = box.take_one()
    page = console.submit(message.target, password="harmonica wolverine custard")
    assert (page.status, page.location) == (303, "/login?done=password-set")
    assert box.take_one().subject == "Your password was changed"
    assert ConsoleClient(latchkey).log_in(account.email).status == 401
    assert ConsoleClient(latchkey).log_in(account.email, "harmonica wolverine custard").status == 303


def test_pages_are_rate_limited_by_client_address(latchkey: TestApp) -> None:
    """An address gets 50 pages in a second and then a 429 page; other addresses aren't affected."""
    console = ConsoleClient(latchkey)
    statuses = [console.open("/login").status for _ in range(51)]
    assert statuses == [200] * 50 + [429]
    page = console.open("/login")
    assert (page.heading, page.answer.header("Retry-After")) == ("Too many requests", "1")
    assert ConsoleClient(latchkey).open("/login").status == 200


def test_session_table_is_read_only_with_a_cookie(latchkey: TestApp) -> None:
    """An anonymous request for the landing page writes one counter and makes no other call."""
    with telemetry.record_calls() as calls:
        ConsoleClient(latchkey).open("/")
    assert calls.made == [("UpdateItem", "latchkey-test-windows")]
    assert dynamodb.call("Scan", {"TableName": settings.current().table("sessions")})["Count"] == 0


NOTICE_OF = {name: page.replace("*", "x") for name, page in labels.NOTICE_PAGES.items()}


def test_every_notice_is_shown_on_its_pages_only(latchkey: TestApp) -> None:
    """Each notice appears only on its own pages, so a link can't show a false notice, such as a deletion, elsewhere."""
    assert set(NOTICE_OF) == set(labels.NOTICES)
    for name, page in NOTICE_OF.items():
        assert labels.notice(name, page) == labels.NOTICES[name]
        for other in ("/", "/forgot", "/signup", "/verify", "/password", "/device"):
            assert labels.notice(name, other) is None
    assert ConsoleClient(latchkey).open("/login?done=user-deleted").notice == "Your user is deleted."
    for path in ("/forgot", "/signup", "/"):
        assert "Your user is deleted." not in ConsoleClient(latchkey).open(f"{path}?done=user-deleted").text
