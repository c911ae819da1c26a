"""From the form to sign up to a session: in the browser that signed up, in another one, and in a stranger's."""

from dataclasses import replace

import pytest

from chalicelib.accounts import email_links, sessions
from chalicelib.accounts.tables import Account
from chalicelib.core import settings
from chalicelib.limits import tiers
from tests.support.console_client import PASSWORD, ConsoleClient, logged_in, person
from tests.support.harness import TestApp, refusal
from tests.support.mailbox import Mailbox

ADA = "ada@example.com"
OTHER = "harmonica wolverine custard"
ACCOUNT = "/settings/account"


def signed_up(latchkey: TestApp, email: str = ADA, **fields: str) -> ConsoleClient:
    """Return the browser of somebody who has just signed up."""
    console = ConsoleClient(latchkey)
    page = console.submit("/signup", **{"email": email, "name": "Ada", "password": PASSWORD} | fields)
    assert page.status == 200
    return console


def test_no_session_is_opened_before_the_address_is_confirmed(latchkey: TestApp, box: Mailbox) -> None:
    """Neither by signing up nor by logging in with what was chosen; only the link's button makes the account."""
    console = signed_up(latchkey)
    assert console.session == ""
    assert console.log_in(ADA).status == 401
    console.open(box.take_one().target)
    assert (Account.count(), console.session) == (0, "")


def test_browser_that_signed_up_is_logged_in_and_goes_on(latchkey: TestApp, box: Mailbox) -> None:
    """To the page that it was going to; its visit is over, so the same cookie opens nothing again."""
    console = signed_up(latchkey, next="/settings/usage?a=1")
    page = console.submit(box.take_one().target)
    assert page.location == "/settings/usage?a=1&done=confirmed"
    assert console.follow(page).heading == "Usage"
    assert "__Host-latchkey-visit" not in console.cookies
    assert ConsoleClient(latchkey).log_in(ADA).status == 303


@pytest.mark.parametrize(("length", "kept"), [(4_500, True), (8_192, True), (8_193, False)])
def test_where_somebody_was_going_is_kept_whole_or_not_at_all(
    latchkey: TestApp, box: Mailbox, length: int, kept: bool
) -> None:
    """A request to authorize with a long state reaches its page with its code challenge, or nobody is sent there."""
    begins, ends = "/oauth/authorize?client_id=app_1&state=", "&code_challenge=abc"
    after = begins + "s" * (length - len(begins) - len(ends)) + ends
    console = signed_up(latchkey, next=after)
    assert console.submit(box.take_one().target).location == (after if kept else "/settings/keys?done=confirmed")


def test_stranger_who_signed_up_with_an_address_has_no_password_that_works(latchkey: TestApp, box: Mailbox) -> None:
    """Its owner confirms in their own browser, chooses a password, and is logged in by nothing but that password."""
    stranger = signed_up(latchkey, name="Mallory", next="/oauth/authorize?client_id=app_evil")
    target = box.take_one().target
    owner = ConsoleClient(latchkey)
    shown = owner.open(target)
    assert "password" in [name for form in shown.read.forms for name, _ in form.fields]
    page = owner.submit(target, name="Ada L", password=OTHER)
    assert (page.location, owner.session) == ("/login?done=verified-with-password", "")
    form = owner.follow(page)
    assert (form.value("/login", "email"), form.value("/login", "next")) == (ADA, "/settings/keys")
    assert stranger.log_in(ADA).status == 401
    assert owner.send("/login", owner.filled(form, "/login", {"password": OTHER})).location == "/settings/keys"
    assert [account.name for account in Account.scan()] == ["Ada L"]
    assert stranger.open(target).status == 410


def test_link_alone_neither_logs_in_nor_confirms_in_another_browser(latchkey: TestApp, box: Mailbox) -> None:
    """Its form comes back with what is missing, keeps the name that was typed, and the link stays good."""
    signed_up(latchkey)
    target = box.take_one().target
    console = ConsoleClient(latchkey)
    for password in ("", "short", "passwordpassword"):
        page = console.submit(target, password=password, name="Ada L")
        assert (page.status, page.value("/verify", "name"), page.problem != "") == (400, "Ada L", True)
    assert (Account.count(), console.session) == (0, "")
    assert console.send("/verify", console.filled(page, "/verify", {"password": OTHER})).status == 303


def test_planted_visit_of_another_form_is_no_browser_that_signed_up(latchkey: TestApp, box: Mailbox) -> None:
    """An empty cookie, and one that is a digest's own text, are other browsers."""
    signed_up(latchkey)
    target = box.take_one().target
    for cookies in ({}, {"__Host-latchkey-visit": ""}, {"__Host-latchkey-visit": "x" * 30}):
        assert "New password" in ConsoleClient(latchkey, cookies=dict(cookies)).open(target).text


def test_second_token_says_that_the_address_has_an_account(latchkey: TestApp, box: Mailbox) -> None:
    """Whoever was slower is told, and the account stays as it is."""
    first, by_first = signed_up(latchkey), box.take_one()
    second, by_second = signed_up(latchkey), box.take_one()
    assert second.submit(by_second.target).status == 303
    page = first.submit(by_first.target)
    assert (page.status, "already has an account" in page.text, first.session) == (409, True, "")


def test_sign_up_while_logged_in_as_somebody_else_ends_that_session(latchkey: TestApp, box: Mailbox) -> None:
    """The browser goes on as the one that it signed up."""
    console = logged_in(latchkey, person())
    before = console.session
    console.submit("/signup", email=ADA, name="Ada", password=PASSWORD)
    assert console.submit(box.take_one().target).status == 303
    found = sessions.session_of(console.session)
    assert found is not None
    assert found.account.email == ADA
    assert sessions.session_of(before) is None


def test_too_many_sign_ups_keep_what_was_typed(latchkey: TestApp, box: Mailbox) -> None:
    """A page with the form, 429 and when to come back; the password isn't in it."""
    console = ConsoleClient(latchkey)
    latchkey.counted(f"sign-ups_{console.ip}", tiers.SIGN_UPS, used=30)
    page = console.submit("/signup", email=ADA, name="Ada", password=PASSWORD)
    assert (page.status, page.answer.header("Retry-After")) == (429, "3600")
    assert page.problem == "Too many attempts. Come back in 60 minutes."
    assert (page.value("/signup", "email"), page.value("/signup", "name")) == (ADA, "Ada")
    assert PASSWORD not in page.html
    latchkey.counted(f"mail-reset-network_{console.ip}", tiers.RESET_MAILS.network, used=30)
    page = console.submit("/forgot", email=ADA)
    assert (page.status, page.value("/forgot", "email")) == (429, ADA)
    assert box.take() == []


@pytest.mark.parametrize("path", ["/signup", "/settings/account/email"])
def test_message_that_could_not_be_sent_is_said_and_keeps_what_was_typed(latchkey: TestApp, path: str) -> None:
    """Instead of a page that says to open it; the password isn't in it."""
    typed = {"email": ADA, "password": PASSWORD} | ({"name": "Ada"} if path == "/signup" else {})
    with settings.in_use(replace(settings.current(), mail_from="unverified@example.com")):
        page = logged_in(latchkey, person()).submit(path, on=path.removesuffix("/email"), **typed)
    assert (page.status, page.problem) == (503, "The email couldn't be sent. Try again in a few minutes.")
    assert page.value(path, "email") == ADA
    assert PASSWORD not in page.html


def test_sign_ups_are_counted_by_48_too(latchkey: TestApp, box: Mailbox) -> None:
    """Each new /64 of one /48 is refused once the /48 has made four times what one may."""
    latchkey.counted("sign-ups_2001:db8:1::/48", tiers.SIGN_UPS, used=119)
    for network, status in ((1, 200), (2, 429)):
        console = ConsoleClient(latchkey, ip=f"2001:db8:1:{network}::1")
        assert console.submit("/signup", email=ADA, name="Ada", password=PASSWORD).status == status
    assert (
        ConsoleClient(latchkey, ip="2001:db8:2::1").submit("/signup", email=ADA, name="A", password=PASSWORD).status
        == 200
    )


def test_log_in_attempts_are_counted_by_48_too(latchkey: TestApp) -> None:
    """Whoever has a /48 guesses no more often than four of its customers."""
    latchkey.counted("log-in-network_2001:db8:1::/48", tiers.hourly("log-in-network", 300), used=1_199)
    account = person()
    assert ConsoleClient(latchkey, ip="2001:db8:1:1::1").log_in(account.email, "wrong").status == 401
    assert ConsoleClient(latchkey, ip="2001:db8:1:2::1").log_in(account.email).status == 429
    assert ConsoleClient(latchkey, ip="2001:db8:2:2::1").log_in(account.email).status == 303


def test_first_proof_ends_the_password_of_an_account_made_without_mail(latchkey: TestApp, box: Mailbox) -> None:
    """Elsewhere than in a browser with its session the link takes another password; the old one opens nothing."""
    account = person(email=ADA, verified=False)
    stranger, key = logged_in(latchkey, account), latchkey.key(account)
    latchkey.clock.forward(60)
    assert stranger.submit(f"{ACCOUNT}/verification", on=ACCOUNT).status == 303
    target = box.take_one().target
    owner = ConsoleClient(latchkey)
    assert owner.submit(target).status == 400
    page = owner.submit(target, password=OTHER)
    assert owner.follow(page).value("/login", "email") == ADA
    assert [stranger.open(ACCOUNT).status, ConsoleClient(latchkey).log_in(ADA).status] == [303, 401]
    assert refusal(latchkey.call("GET", "/v1/users/me", key.secret)) == (401, "invalid_api_key")
    assert ConsoleClient(latchkey).log_in(ADA, OTHER).status == 303


def test_proof_in_ones_own_session_keeps_it_and_ends_the_others(latchkey: TestApp, box: Mailbox) -> None:
    """The link came to the address, the session knows the password: this browser goes on, every other is out."""
    account = person(email=ADA, verified=False)
    own, elsewhere = logged_in(latchkey, account), logged_in(latchkey, account)
    own.submit(f"{ACCOUNT}/verification", on=ACCOUNT)
    page = own.follow(own.submit(box.take_one().target))
    assert (page.heading, page.notice) == ("Account", "Your email address is confirmed.")
    assert elsewhere.open(ACCOUNT).status == 303


def test_verification_without_a_session_ends_the_password_whoever_calls(latchkey: TestApp) -> None:
    """The function itself carries no password over."""
    account = person(verified=False)
    ticket = email_links.looked_up(
        email_links.new_link(account.id, email_links.VERIFY_EMAIL, email=account.email, epoch=account.session_epoch),
        email_links.VERIFY_EMAIL,
    )
    email_links.verify_email(ticket, account)
    assert Account.get(account.id).password_hash is None


def test_change_of_address_is_confirmed_in_a_browser_of_the_account_only(latchkey: TestApp, box: Mailbox) -> None:
    """A stranger who asks that theirs be somebody else's address can't have that person confirm it."""
    stranger = person(name="Mallory")
    logged_in(latchkey, stranger).submit(f"{ACCOUNT}/email", on=ACCOUNT, email=ADA, password=PASSWORD)
    letter = box.take_one()
    assert "Mallory" not in letter.text
    victim = ConsoleClient(latchkey)
    assert victim.open(letter.target).location.startswith("/login?next=%2Fverify")
    form = {"ticket": letter.ticket, "csrf": dict(victim.open("/login").form("/login").fields)["csrf"]}
    assert victim.send("/verify", form).location == "/login"
    assert logged_in(latchkey, person()).open(letter.target).status == 409
    assert Account.get(stranger.id).email == stranger.email


@pytest.mark.parametrize("deed", ["email", "password", "delete"])
def test_guesses_inside_a_session_count_as_log_in_attempts(latchkey: TestApp, box: Mailbox, deed: str) -> None:
    """After twenty guesses not even the right password is tried, in the session or at the form to log in."""
    account = person(email=ADA)
    console = logged_in(latchkey, account)
    fields = {"email": "new@example.com", "new_password": OTHER}
    for _ in range(20):
        latchkey.clock.forward(1)
        assert console.submit(f"{ACCOUNT}/{deed}", on=ACCOUNT, password="wrong", **fields).status == 400
    page = console.submit(f"{ACCOUNT}/{deed}", on=ACCOUNT, password=PASSWORD, **fields)
    assert (page.status, page.problem[:18]) == (429, "Too many attempts.")
    assert page.answer.header("Retry-After") == "3580"
    if deed == "email":
        assert page.value(f"{ACCOUNT}/email", "email") == "new@example.com"
    assert ConsoleClient(latchkey).log_in(ADA).status == 429
    after = Account.get(account.id)
    assert (after.email, after.password_hash, after.status) == (ADA, account.password_hash, "active")
    assert box.take() == []


def test_verification_mails_have_an_end_that_is_said(latchkey: TestApp, box: Mailbox) -> None:
    """No page says that a mail was sent which wasn't."""
    console = logged_in(latchkey, person(verified=False))
    notices = [console.submit(f"{ACCOUNT}/verification", on=ACCOUNT).status for _ in range(6)]
    assert notices == [303] * 5 + [429]
    assert len(box.take()) == 5


def test_account_signed_up_again_goes_on_counting(latchkey: TestApp) -> None:
    """A deleted address' new account has used what the old one had, for the rest of the hour and no longer."""
    used = 0
    for _ in range(3):
        account = person(email=ADA)
        key = latchkey.key(account)
        assert latchkey.call("GET", "/v1/users/me", key.secret).status == 200
        used += 1
        assert latchkey.call("GET", "/v1/limits", key.secret).json()["quota"]["remaining"] == 1_000 - used - 1
        used += 1
        console = logged_in(latchkey, account)
        assert console.submit(f"{ACCOUNT}/delete", on=ACCOUNT, password=PASSWORD).status == 303
    other = latchkey.key(person(email="eve@example.com"))
    assert latchkey.call("GET", "/v1/limits", other.secret).json()["quota"]["remaining"] == 999
    latchkey.clock.forward(3_600)
    later = latchkey.key(person(email=ADA))
    assert latchkey.call("GET", "/v1/limits", later.secret).json()["quota"]["remaining"] == 999


def test_no_page_says_that_mail_was_sent_where_none_is(latchkey: TestApp) -> None:
    """Sign-up, forgotten password, change of address and confirmation say what to do instead."""
    account = person(email="known@example.com", verified=False)
    inside = logged_in(latchkey, account)
    csrf = dict(inside.open(ACCOUNT).form(f"{ACCOUNT}/name").fields)["csrf"]
    stranger = ConsoleClient(latchkey)
    pages = [
        stranger.submit("/signup", email=ADA, name="Ada", password=PASSWORD),
        stranger.open("/forgot"),
        inside.open(ACCOUNT),
        inside.open("/settings/keys"),
        inside.send(f"{ACCOUNT}/email", {"csrf": csrf, "email": "new@example.com", "password": PASSWORD}),
        inside.follow(inside.send(f"{ACCOUNT}/verification", {"csrf": csrf})),
    ]
    for page in pages:
        assert "sent" not in page.text, page.target
        assert "message" not in page.text, page.target
    assert "Ask the operator of this API for a password link." in pages[1].text
    assert "ask the operator of this API" in pages[0].text
    assert (pages[4].status, "Ask the operator of this API" in pages[4].text) == (409, True)
    assert stranger.log_in(ADA).status == 303


def test_sign_up_without_mail_reads_the_same_for_known_and_new(latchkey: TestApp) -> None:
    """The page itself tells nothing."""
    person(email="known@example.com")
    texts = set()
    for email in ("known@example.com", "other@example.com"):
        page = ConsoleClient(latchkey).submit("/signup", email=email, name="Ada", password=PASSWORD)
        texts.add(page.text.replace(email, ""))
    assert len(texts) == 1
