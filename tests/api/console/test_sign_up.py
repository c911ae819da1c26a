"""From the sign-up form to a session: in the same browser, in another browser, and after an attacker's sign-up."""

from dataclasses import replace

import pytest

from chalicelib.accounts import email_links, sessions
from chalicelib.accounts.tables import Account, User
from chalicelib.core import settings
from chalicelib.limits import tiers
from tests.support.console_client import PASSWORD, ConsoleClient, log_in_as, new_account
from tests.support.harness import TestApp, error_of
from tests.support.mailbox import Mailbox

ADA = "ada@example.com"
OTHER = "harmonica wolverine custard"
PROFILE = "/settings/profile"


def sign_up(latchkey: TestApp, email: str = ADA, **fields: str) -> ConsoleClient:
    """Return a browser that has just signed up."""
    console = ConsoleClient(latchkey)
    page = console.submit("/signup", **{"email": email, "name": "Ada", "password": PASSWORD} | fields)
    assert page.status == 200
    return console


def test_no_session_starts_before_the_address_is_confirmed(latchkey: TestApp, box: Mailbox) -> None:
    """Neither a sign-up nor a log-in starts a session before the button of the link creates the account."""
    console = sign_up(latchkey)
    assert console.session == ""
    assert console.log_in(ADA).status == 401
    console.open(box.take_one().target)
    assert (Account.count(), User.count(), console.session) == (0, 0, "")


def test_browser_that_signed_up_is_logged_in_and_redirected(latchkey: TestApp, box: Mailbox) -> None:
    """Confirming in the browser of the sign-up logs it in and redirects it to the page requested first."""
    console = sign_up(latchkey, next="/settings/usage?a=1")
    page = console.submit(box.take_one().target)
    assert page.location == "/settings/usage?a=1&done=confirmed"
    assert console.follow(page).heading == "Usage"
    assert "__Host-latchkey-visit" not in console.cookies
    assert ConsoleClient(latchkey).log_in(ADA).status == 303


@pytest.mark.parametrize(("length", "kept"), [(4_500, True), (8_192, True), (8_193, False)])
def test_path_after_sign_up_is_kept_completely_or_not_at_all(
    latchkey: TestApp, box: Mailbox, length: int, kept: bool
) -> None:
    """After sign-up, a long authorization request continues completely. If it is too long to keep, it isn't continued
    at all.
    """
    begins, ends = "/oauth/authorize?client_id=app_1&state=", "&code_challenge=abc"
    after = begins + "s" * (length - len(begins) - len(ends)) + ends
    console = sign_up(latchkey, next=after)
    assert console.submit(box.take_one().target).location == (after if kept else "/settings?done=confirmed")


def test_attacker_who_signed_up_with_an_address_has_no_working_password(latchkey: TestApp, box: Mailbox) -> None:
    """If an attacker has signed up with an address, its owner sets a new password when confirming the address. The
    attacker's password fails.
    """
    attacker = sign_up(latchkey, name="Mallory", next="/oauth/authorize?client_id=app_evil")
    target = box.take_one().target
    owner = ConsoleClient(latchkey)
    shown = owner.open(target)
    assert "password" in [name for form in shown.content.forms for name, _ in form.fields]
    page = owner.submit(target, name="Ada L", password=OTHER)
    assert (page.location, owner.session) == ("/login?done=verified-with-password", "")
    form = owner.follow(page)
    assert (form.value("/login", "email"), form.value("/login", "next")) == (ADA, "/settings")
    assert attacker.log_in(ADA).status == 401
    assert owner.send("/login", owner.fill(form, "/login", {"password": OTHER})).location == "/settings"
    assert [user.name for user in User.scan()] == ["Ada L"]
    assert [account.name for account in Account.scan()] == ["Ada L"]
    assert attacker.open(target).status == 410


def test_link_alone_neither_logs_in_nor_confirms_in_another_browser(latchkey: TestApp, box: Mailbox) -> None:
    """In another browser the link alone doesn't confirm the address: its form requires a password."""
    sign_up(latchkey)
    target = box.take_one().target
    console = ConsoleClient(latchkey)
    for password in ("", "short", "passwordpassword"):
        page = console.submit(target, password=password, name="Ada L")
        assert (page.status, page.value("/verify", "name"), page.problem != "") == (400, "Ada L", True)
    assert (Account.count(), User.count(), console.session) == (0, 0, "")
    assert console.send("/verify", console.fill(page, "/verify", {"password": OTHER})).status == 303


def test_planted_browser_cookie_does_not_match(latchkey: TestApp, box: Mailbox) -> None:
    """A link asks for a password in a browser whose sign-up cookie is missing, empty or forged."""
    sign_up(latchkey)
    target = box.take_one().target
    for cookies in ({}, {"__Host-latchkey-visit": ""}, {"__Host-latchkey-visit": "x" * 30}):
        assert "New password" in ConsoleClient(latchkey, cookies=dict(cookies)).open(target).text


def test_second_link_reports_that_the_address_has_an_account(latchkey: TestApp, box: Mailbox) -> None:
    """If two people sign up with one address and one confirms it, the other link only says that the address has an
    account.
    """
    first, by_first = sign_up(latchkey), box.take_one()
    second, by_second = sign_up(latchkey), box.take_one()
    assert second.submit(by_second.target).status == 303
    page = first.submit(by_first.target)
    assert (page.status, "already has an account" in page.text, first.session) == (409, True, "")


def test_sign_up_while_logged_in_ends_the_other_session(latchkey: TestApp, box: Mailbox) -> None:
    """Signing up while logged in to another account ends that account's session and starts one for the new account."""
    console = log_in_as(latchkey, new_account())
    before = console.session
    console.submit("/signup", email=ADA, name="Ada", password=PASSWORD)
    assert console.submit(box.take_one().target).status == 303
    found = sessions.session_of(console.session)
    assert found is not None
    assert found.user.email == ADA
    assert sessions.session_of(before) is None


def test_rate_limited_sign_up_keeps_its_values(latchkey: TestApp, box: Mailbox) -> None:
    """A sign-up beyond the limit gets a 429 page that keeps name and address, and shows the wait."""
    console = ConsoleClient(latchkey)
    latchkey.set_counters(f"sign-ups_{console.ip}", tiers.SIGN_UPS, used=30)
    page = console.submit("/signup", email=ADA, name="Ada", password=PASSWORD)
    assert (page.status, page.answer.header("Retry-After")) == (429, "3600")
    assert page.problem == "Too many attempts. Try again in 60 minutes."
    assert (page.value("/signup", "email"), page.value("/signup", "name")) == (ADA, "Ada")
    assert PASSWORD not in page.html
    latchkey.set_counters(f"mail-reset-network_{console.ip}", tiers.RESET_EMAILS.network, used=30)
    page = console.submit("/forgot", email=ADA)
    assert (page.status, page.value("/forgot", "email")) == (429, ADA)
    assert box.take() == []


@pytest.mark.parametrize("path", ["/signup", "/settings/profile/email"])
def test_email_that_could_not_be_sent_is_reported_and_keeps_the_values(latchkey: TestApp, path: str) -> None:
    """If the email can't be sent, the page says so and keeps the values, except the password."""
    typed = {"email": ADA, "password": PASSWORD} | ({"name": "Ada"} if path == "/signup" else {})
    with settings.override(replace(settings.current(), mail_from="unverified@example.com")):
        page = log_in_as(latchkey, new_account()).submit(path, on=path.removesuffix("/email"), **typed)
    assert (page.status, page.problem) == (503, "The email couldn't be sent. Try again in a few minutes.")
    assert page.value(path, "email") == ADA
    assert PASSWORD not in page.html


def test_sign_ups_are_counted_by_48_too(latchkey: TestApp, box: Mailbox) -> None:
    """Sign-ups from the /64s of a /48 are rejected after four times the limit of one /64."""
    latchkey.set_counters("sign-ups_2001:db8:1::/48", tiers.SIGN_UPS, used=119)
    for network, status in ((1, 200), (2, 429)):
        console = ConsoleClient(latchkey, ip=f"2001:db8:1:{network}::1")
        assert console.submit("/signup", email=ADA, name="Ada", password=PASSWORD).status == status
    assert (
        ConsoleClient(latchkey, ip="2001:db8:2::1").submit("/signup", email=ADA, name="A", password=PASSWORD).status
        == 200
    )


def test_log_in_attempts_are_counted_by_48_too(latchkey: TestApp) -> None:
    """Log-in attempts from the /64s of a /48 are rejected after four times the limit of one /64."""
    latchkey.set_counters("log-in-network_2001:db8:1::/48", tiers.hourly("log-in-network", 300), used=1_199)
    account = new_account()
    assert ConsoleClient(latchkey, ip="2001:db8:1:1::1").log_in(account.email, "wrong").status == 401
    assert ConsoleClient(latchkey, ip="2001:db8:1:2::1").log_in(account.email).status == 429
    assert ConsoleClient(latchkey, ip="2001:db8:2:2::1").log_in(account.email).status == 303


def test_first_verification_discards_the_password_of_an_account_made_without_email(
    latchkey: TestApp, box: Mailbox
) -> None:
    """A first verification outside of a session requires a new password, and the old one fails."""
    account = new_account(email=ADA, verified=False)
    attacker, key = log_in_as(latchkey, account), latchkey.key(account)
    latchkey.clock.forward(60)
    assert attacker.submit(f"{PROFILE}/verification", on=PROFILE).status == 303
    target = box.take_one().target
    owner = ConsoleClient(latchkey)
    assert owner.submit(target).status == 400
    page = owner.submit(target, password=OTHER)
    assert owner.follow(page).value("/login", "email") == ADA
    assert [attacker.open(PROFILE).status, ConsoleClient(latchkey).log_in(ADA).status] == [303, 401]
    assert error_of(latchkey.call("GET", "/v1/users/me", key.secret)) == (401, "invalid_api_key")
    assert ConsoleClient(latchkey).log_in(ADA, OTHER).status == 303


def test_verification_in_a_session_keeps_it_and_ends_the_others(latchkey: TestApp, box: Mailbox) -> None:
    """A first verification inside a session keeps that session and ends all others."""
    account = new_account(email=ADA, verified=False)
    own, elsewhere = log_in_as(latchkey, account), log_in_as(latchkey, account)
    own.submit(f"{PROFILE}/verification", on=PROFILE)
    page = own.follow(own.submit(box.take_one().target))
    assert (page.heading, page.notice) == ("Profile", "Email address confirmed.")
    assert elsewhere.open(PROFILE).status == 303


def test_verification_without_a_session_discards_the_password_for_every_caller(latchkey: TestApp) -> None:
    """`verify_email` removes the password of the user if it is called without a session."""
    account = new_account(verified=False)
    ticket = email_links.find_link(
        email_links.new_link(
            account.user_id, email_links.VERIFY_EMAIL, email=account.email, epoch=account.user.session_epoch
        ),
        email_links.VERIFY_EMAIL,
    )
    email_links.verify_email(ticket, account.user)
    assert User.get(account.user_id).password_hash is None


def test_change_of_address_is_confirmed_in_a_browser_of_the_user_only(latchkey: TestApp, box: Mailbox) -> None:
    """A change of address can be confirmed only in a browser in which the user is logged in."""
    attacker = new_account(name="Mallory")
    log_in_as(latchkey, attacker).submit(f"{PROFILE}/email", on=PROFILE, email=ADA, password=PASSWORD)
    message = box.take_one()
    assert "Mallory" not in message.text
    victim = ConsoleClient(latchkey)
    assert victim.open(message.target).location.startswith("/login?next=%2Fverify")
    form = {"ticket": message.token, "csrf": dict(victim.open("/login").form("/login").fields)["csrf"]}
    assert victim.send("/verify", form).location == "/login"
    assert log_in_as(latchkey, new_account()).open(message.target).status == 409
    assert User.get(attacker.user_id).email == attacker.email


@pytest.mark.parametrize("path", [f"{PROFILE}/email", f"{PROFILE}/password", "/settings/account/delete"])
def test_guesses_inside_a_session_count_as_log_in_attempts(latchkey: TestApp, box: Mailbox, path: str) -> None:
    """Wrong passwords inside a session count as log-in attempts: after twenty, even the right one is rejected."""
    account = new_account(email=ADA)
    console = log_in_as(latchkey, account)
    fields = {"email": "new@example.com", "new_password": OTHER}
    for _ in range(20):
        latchkey.clock.forward(1)
        assert console.submit(path, on=path.rpartition("/")[0], password="wrong", **fields).status == 400
    page = console.submit(path, on=path.rpartition("/")[0], password=PASSWORD, **fields)
    assert (page.status, page.problem[:18]) == (429, "Too many attempts.")
    assert page.answer.header("Retry-After") == "3580"
    if path.endswith("email"):
        assert page.value(path, "email") == "new@example.com"
    assert ConsoleClient(latchkey).log_in(ADA).status == 429
    after = account.reload().user
    assert (after.email, after.password_hash, after.status) == (ADA, account.user.password_hash, "active")
    assert box.take() == []


def test_verification_emails_have_a_limit(latchkey: TestApp, box: Mailbox) -> None:
    """If the limit of verification emails is reached, no page claims that an email was sent."""
    console = log_in_as(latchkey, new_account(verified=False))
    notices = [console.submit(f"{PROFILE}/verification", on=PROFILE).status for _ in range(6)]
    assert notices == [303] * 5 + [429]
    assert len(box.take()) == 5


def test_new_account_of_a_deleted_address_keeps_its_usage(latchkey: TestApp) -> None:
    """A new account with the address of a deleted account starts with the deleted account's usage of this hour."""
    used = 0
    for _ in range(3):
        account = new_account(email=ADA)
        key = latchkey.key(account)
        assert latchkey.call("GET", "/v1/users/me", key.secret).status == 200
        used += 1
        assert latchkey.call("GET", "/v1/limits", key.secret).json()["quota"]["remaining"] == 1_000 - used - 1
        used += 1
        console = log_in_as(latchkey, account)
        assert console.submit("/settings/account/delete", on="/settings/account", password=PASSWORD).status == 303
        assert console.submit(f"{PROFILE}/delete", on=PROFILE, password=PASSWORD).status == 303
    other = latchkey.key(new_account(email="eve@example.com"))
    assert latchkey.call("GET", "/v1/limits", other.secret).json()["quota"]["remaining"] == 999
    latchkey.clock.forward(3_600)
    later = latchkey.key(new_account(email=ADA))
    assert latchkey.call("GET", "/v1/limits", later.secret).json()["quota"]["remaining"] == 999


def test_no_page_claims_that_email_is_sent_where_none_is(latchkey: TestApp) -> None:
    """If no email is configured, no page says that an email is sent."""
    account = new_account(email="known@example.com", verified=False)
    inside = log_in_as(latchkey, account)
    tokens = inside.token_fields()
    attacker = ConsoleClient(latchkey)
    pages = [
        attacker.submit("/signup", email=ADA, name="Ada", password=PASSWORD),
        attacker.open("/forgot"),
        inside.open(PROFILE),
        inside.open("/settings/keys"),
        inside.send(f"{PROFILE}/email", {**tokens, "email": "new@example.com", "password": PASSWORD}),
        inside.follow(inside.send(f"{PROFILE}/verification", tokens)),
    ]
    for page in pages:
        assert "sent" not in page.text, page.target
        assert "message" not in page.text, page.target
    assert "Ask the operator of this API for a password link." in pages[1].text
    assert "ask the operator of this API" in pages[0].text
    assert (pages[4].status, "Ask the operator of this API" in pages[4].text) == (409, True)
    assert attacker.log_in(ADA).status == 303


def test_sign_up_without_email_reads_the_same_for_known_and_new(latchkey: TestApp) -> None:
    """If no email is configured, a sign-up gets the same response for a known address as for a new one."""
    new_account(email="known@example.com")
    texts = set()
    for email in ("known@example.com", "other@example.com"):
        page = ConsoleClient(latchkey).submit("/signup", email=email, name="Ada", password=PASSWORD)
        texts.add(page.text.replace(email, ""))
    assert len(texts) == 1
