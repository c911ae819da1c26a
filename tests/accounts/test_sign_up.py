"""Sign-up and password reset: stored items, sent emails, and equal database calls for known and unknown addresses."""

import json
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.accounts import email_links, email_sender, emails, find, members, pending_sign_up
from chalicelib.accounts.log_in import WrongLogIn, log_in
from chalicelib.accounts.password_attempts import Caller
from chalicelib.accounts.sign_up import SignUpRequest, request_password_reset, send_verification, sign_up
from chalicelib.accounts.tables import Account, EmailClaim, OneTimeToken, User
from chalicelib.core import errors, settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.credentials.issue import new_key
from chalicelib.limits import tiers
from chalicelib.limits.admission import Rejected
from tests.support.console_client import CALLER, PASSWORD, hash_of, new_account
from tests.support.harness import TestApp
from tests.support.mailbox import Mailbox

BASE = "https://api.example.com"
HERE = SignUpRequest(CALLER.networks, browser="digest of a cookie", after="/settings/usage")
NAME = "Pay now: https://evil.example.net"


def submit_sign_up(email: str = "Ada@Example.com", *, name: str = "Ada", password: str = PASSWORD) -> None:
    """Sign up from one browser."""
    sign_up(email=email, name=name, password=password, request=HERE, base_url=BASE)


def request_reset(email: str) -> None:
    """Request a password reset."""
    request_password_reset(email=email, caller=CALLER, base_url=BASE)


def tables_holding(text: str) -> set[str]:
    """Return the tables that contain a text."""
    names = [name.removeprefix("latchkey-test-") for name in dynamodb.call("ListTables", {})["TableNames"]]
    scanned = {name: dynamodb.call("Scan", {"TableName": settings.current().table(name)})["Items"] for name in names}
    return {name for name, items in scanned.items() if text.lower() in json.dumps(items).lower()}


def stored() -> dict[str, int]:
    """Return the number of items of each table, except counters."""
    names = [name.removeprefix("latchkey-test-") for name in dynamodb.call("ListTables", {})["TableNames"]]
    counts = {name: dynamodb.call("Scan", {"TableName": settings.current().table(name)})["Count"] for name in names}
    return {name: count for name, count in counts.items() if count and name != "windows"}


def test_sign_up_with_email_stores_only_a_token(latchkey: TestApp, box: Mailbox) -> None:
    """A sign-up with email stores a token that expires soon, and no account, claim, event or session."""
    submit_sign_up()
    assert stored() == {"tickets": 1}
    assert tables_holding("ada@example.com") == {"tickets"}
    (token,) = OneTimeToken.scan()
    assert (token.email, token.name, token.browser, token.after) == (
        "Ada@example.com",
        "Ada",
        "digest of a cookie",
        "/settings/usage",
    )
    assert token.dies_at == latchkey.clock.now_ms // 1000 + 2 * 3_600
    message = box.take_one()
    assert (message.to, message.subject) == ("Ada@example.com", "Confirm your email address")
    assert message.link.startswith(f"{BASE}/verify?ticket=lk_ml_")
    assert tables_holding(message.token.rpartition("_")[2]) == set()


def test_used_sign_up_creates_a_verified_free_account(latchkey: TestApp, box: Mailbox) -> None:
    """The link of a sign-up creates a verified Free account without the admin flag, and removes the token's personal
    data.
    """
    submit_sign_up()
    token = email_links.find_link(box.take_one().token, pending_sign_up.PURPOSE)
    made = pending_sign_up.make_account(token, name="Ada", password_hash=str(token.password_hash))
    found = find.user_by_email("ADA@example.com")
    assert (found.id, found.admin, found.status) == (made.user.id, False, "active")
    account = find.account_by_id(made.account.id)
    assert (account.tier, account.status, account.created_by, account.owners) == ("free", "active", found.id, 1)
    assert members.find(found, account.id).role == "owner"
    assert (found.email, found.mailbox, found.email_verified_at) == (
        "ada@example.com",
        "Ada@example.com",
        latchkey.clock.now_ms,
    )
    (spent,) = OneTimeToken.scan()
    assert {spent.email, spent.name, spent.password_hash, spent.browser} == {None}
    assert tables_holding("argon2") == {"users"}


def test_first_of_two_tokens_for_one_address_creates_the_account(latchkey: TestApp, box: Mailbox) -> None:
    """The first of two tokens for an address creates the account. The second is rejected because the account exists."""
    submit_sign_up(name="Eve")
    by_eve = email_links.find_link(box.take_one().token, pending_sign_up.PURPOSE)
    submit_sign_up(name="Ada")
    by_ada = email_links.find_link(box.take_one().token, pending_sign_up.PURPOSE)
    made = pending_sign_up.make_account(by_ada, name="Ada", password_hash="ada")
    with pytest.raises(pending_sign_up.HasUser):
        pending_sign_up.make_account(by_eve, name="Eve", password_hash="eve")
    assert [(each.id, each.name, each.password_hash) for each in User.scan()] == [(made.user.id, "Ada", "ada")]
    assert EmailClaim.get("ada@example.com").user_id == made.user.id


def test_token_works_once_and_for_an_hour(latchkey: TestApp, box: Mailbox) -> None:
    """The token of a sign-up can be used once, and expires after an hour even if the database hasn't deleted it yet."""
    submit_sign_up()
    submit_sign_up("eve@example.com")
    once, late = (email_links.find_link(message.token, pending_sign_up.PURPOSE) for message in box.take())
    pending_sign_up.make_account(once, name="Ada", password_hash="x")
    with pytest.raises(email_links.SpentLink):
        pending_sign_up.make_account(once, name="Ada", password_hash="x")
    latchkey.clock.forward(3_600)
    with pytest.raises(email_links.SpentLink):
        pending_sign_up.make_account(late, name="Eve", password_hash="x")
    assert Account.count() == 1


def test_repr_of_a_pending_sign_up_has_no_field() -> None:
    """The repr of a pending sign-up omits its fields, so that tracebacks reveal neither address nor password hash."""
    assert repr(pending_sign_up.PendingSignUp("a@b.example", "Ada", "hash", "digest")) == "PendingSignUp()"
    assert "secret" not in repr(Caller((), "secret"))


def test_log_in_is_the_same_for_an_unknown_and_a_pending_address(latchkey: TestApp, box: Mailbox) -> None:
    """A log-in with a pending address makes the same database calls as one with an unknown address, and raises the same
    error.
    """
    new_account(email="known@example.com").user.update(
        actions=[User.password_hash.set(hash_of("another one entirely"))]
    )
    for email in ("known@example.com", "pending@example.com"):
        submit_sign_up(email)
    made = []
    for email in ("known@example.com", "pending@example.com", "unknown@example.com"):
        with telemetry.record_calls() as calls, pytest.raises(WrongLogIn) as refused:
            log_in(email=email, password=PASSWORD, caller=CALLER)
        made.append((calls.made, refused.value.message))
    assert made[0] == made[1] == made[2]


def test_sign_up_with_a_known_address_changes_nothing_and_sends_an_email(latchkey: TestApp, box: Mailbox) -> None:
    """A sign-up with the address of an existing account doesn't change that account, and sends an email without a
    token.
    """
    account = new_account(email="ada@example.com")
    submit_sign_up("ADA@example.com", name="Mallory", password="harmonica wolverine custard")
    assert find.user_by_email("ada@example.com").password_hash == account.user.password_hash
    message = box.take_one()
    assert (message.to, message.subject) == ("ada@example.com", "You already have an account")
    assert message.link == f"{BASE}/login"
    assert f"{BASE}/forgot" in message.text
    assert "Mallory" not in message.text
    assert "ticket" not in message.text


def test_sign_up_with_a_known_address_stores_the_same_as_a_new_one(latchkey: TestApp, box: Mailbox) -> None:
    """A sign-up stores an item of the same size for a known and for a new address."""
    new_account(email="ada@example.com")
    submit_sign_up("ada@example.com")
    submit_sign_up("eve@example.com")
    items = dynamodb.call("Scan", {"TableName": settings.current().table("tickets")})["Items"]
    kept: list[Any] = [{name: len(json.dumps(value)) for name, value in item.items()} for item in items]
    assert kept[0] == kept[1]


def test_sign_up_with_an_invalid_password_stores_nothing(latchkey: TestApp, box: Mailbox) -> None:
    """A sign-up with an invalid password stores nothing and sends no email."""
    for email, password in (("ada@example.com", "passwordpassword"), ("no address", PASSWORD)):
        with pytest.raises(errors.InvalidRequest):
            submit_sign_up(email, password=password)
    assert (stored(), box.take()) == ({}, [])


def test_sign_up_without_email_creates_the_account_immediately(latchkey: TestApp) -> None:
    """Without configured email a sign-up creates the account immediately, and an existing account stays unchanged."""
    submit_sign_up()
    submit_sign_up(name="Eve", password="harmonica wolverine custard")
    user = find.user_by_email("ada@example.com")
    assert (user.name, user.is_verified) == ("Ada", False)
    assert log_in(email="ada@example.com", password=PASSWORD, caller=CALLER).id == user.id
    assert (Account.count(), User.count(), OneTimeToken.count()) == (1, 1, 0)


@pytest.mark.parametrize("with_mail", [True, False], ids=["mail", "no mail"])
def test_network_has_30_sign_ups_an_hour(latchkey: TestApp, box: Mailbox, with_mail: bool) -> None:
    """After 30 sign-ups in an hour a network is rejected before the password is checked."""
    folder = settings.current().mail_folder if with_mail else ""
    latchkey.set_counters("sign-ups_203.0.113.7", tiers.SIGN_UPS, used=29)
    with settings.override(replace(settings.current(), mail_folder=folder)):
        submit_sign_up()
        with telemetry.record_calls() as calls, pytest.raises(Rejected) as refused:
            submit_sign_up("eve@example.com", password="passwordpassword")
        assert (refused.value.status, refused.value.retry_after_s) == (429, 3_600)
        assert {table for _, table in calls.made} <= {"latchkey-test-windows"}
        assert len(box.take()) == with_mail
        elsewhere = replace(HERE, networks=("203.0.113.8",))
        sign_up(email="eve@example.com", name="Eve", password=PASSWORD, request=elsewhere, base_url=BASE)
        latchkey.clock.forward(3_600)
        submit_sign_up("bea@example.com")


def test_malformed_sign_up_is_not_counted(latchkey: TestApp, box: Mailbox) -> None:
    """A sign-up with an invalid address or a short password isn't counted."""
    with telemetry.record_calls() as calls:
        for email, password in (("no address", PASSWORD), ("ada@example.com", "short")):
            with pytest.raises(errors.InvalidRequest):
                submit_sign_up(email, password=password)
    assert calls.made == []


def test_each_kind_of_email_has_its_own_allowance(latchkey: TestApp, box: Mailbox) -> None:
    """Sign-ups and password resets with one address have separate limits."""
    new_account(email="ada@example.com")
    for _ in range(12):
        submit_sign_up("ada@example.com")
    assert len(box.take()) == 5
    request_reset("ada@example.com")
    assert box.take_one().subject == "Reset your password"
    for _ in range(12):
        submit_sign_up("eve@example.com")
    assert [message.subject for message in box.take()] == ["Confirm your email address"] * 5


def test_spellings_of_an_address_share_its_allowance(latchkey: TestApp, box: Mailbox) -> None:
    """Spellings of an address share one limit, because they are the same mailbox."""
    for local in ("ada", "Ada", "ADA", "aDa", "adA", "AdA"):
        submit_sign_up(f"{local}@example.com")
    assert len(box.take()) == 5


def test_network_has_30_resets_an_hour(latchkey: TestApp, box: Mailbox) -> None:
    """After 30 password resets in an hour a network is rejected; its sign-ups are not affected."""
    latchkey.set_counters("mail-reset-network_203.0.113.7", tiers.RESET_EMAILS.network, used=30)
    with pytest.raises(Rejected):
        request_reset("ada@example.com")
    submit_sign_up()
    assert box.take_one().subject == "Confirm your email address"


def test_ipv6_48_has_the_allowance_of_four_64s(latchkey: TestApp, box: Mailbox) -> None:
    """An IPv6 /48 has four times the limit of a /64, however many of its /64s are used."""
    statuses = []
    for number in range(5):
        networks = (f"2001:db8:1:{number}::/64", "2001:db8:1::/48")
        latchkey.set_counters(f"sign-ups_{networks[0]}", tiers.SIGN_UPS, used=29)
        latchkey.set_counters("sign-ups_2001:db8:1::/48", tiers.SIGN_UPS, used=30 * number + 29 if number < 4 else 120)
        for _ in range(2):
            try:
                sign_up(
                    email=f"a{number}@example.com",
                    name="A",
                    password=PASSWORD,
                    request=SignUpRequest(networks),
                    base_url=BASE,
                )
                statuses.append(200)
            except Rejected:
                statuses.append(429)
    assert statuses == [200, 429] * 4 + [429, 429]


def test_email_to_an_unverified_address_has_no_typed_text(latchkey: TestApp, box: Mailbox) -> None:
    """An email to an unverified address contains no text from the form, because that text could be spam."""
    made = new_account(email="known@example.com", name=NAME, verified=False).user
    submit_sign_up("new@example.com", name=NAME)
    submit_sign_up("known@example.com", name=NAME)
    request_reset("known@example.com")
    key = new_key("acc_x", made.id, name=NAME, wanted=["read"], expires_at=None, made_by=None).key
    for written in (
        emails.password_changed(made, BASE),
        emails.email_changed(made, "pay.now@evil.example.net"),
        emails.verify(made, BASE),
        emails.anomaly_handled(made, key=key.name, hint=key.hint, why="", done="", link=""),
        emails.leaked(made, kind="API key", name=key.name, hint=key.hint, where=NAME, done="", link=""),
    ):
        email_sender.send(written)
    received = box.take()
    assert len(received) == 8
    for message in received:
        assert "evil" not in message.subject + message.text
        assert "Pay" not in message.subject + message.text


def test_reset_is_sent_to_a_known_address_only(latchkey: TestApp, box: Mailbox) -> None:
    """A reset email is sent only if the address has an account."""
    new_account(email="ada@example.com")
    request_reset("ADA@example.com")
    message = box.take_one()
    assert message.to == "ada@example.com"
    assert message.link.startswith(f"{BASE}/password?ticket=lk_ml_")
    request_reset("nobody@example.com")
    assert box.take() == []


def test_reset_is_sent_to_the_address_of_the_sign_up(latchkey: TestApp, box: Mailbox) -> None:
    """A reset email is sent to the address as typed at sign-up, even if the request spells it differently."""
    new_account(email="J\u00f6rg@fa\u00df.example")
    request_reset("j\u00d6rg@xn--fa-hia.example")
    assert box.take_one().to == "J\u00f6rg@xn--fa-hia.example"


@pytest.mark.parametrize("what", ["sign_up", "reset"])
def test_known_and_unknown_address_make_the_same_calls(latchkey: TestApp, box: Mailbox, what: str) -> None:
    """Known and unknown addresses cause the same database calls, so that timing doesn't reveal whether an account
    exists.
    """
    new_account(email="ada@example.com")
    made = []
    for email in ("ada@example.com", "nobody@example.com"):
        with telemetry.record_calls() as calls:
            submit_sign_up(email) if what == "sign_up" else request_reset(email)
        made.append(calls.made)
    assert made[0] == made[1]


def test_verification_has_five_emails_an_hour(latchkey: TestApp, box: Mailbox) -> None:
    """A logged-in user gets five verification emails an hour, if the limit of the network allows it."""
    account = new_account(email="Ada@example.com", verified=False)
    account.user.session_epoch = 2
    for _ in range(5):
        send_verification(account.user, networks=CALLER.networks, base_url=BASE)
    message = box.take()[0]
    assert message.to == "Ada@example.com"
    assert message.link.startswith(f"{BASE}/verify?ticket=lk_ml_")
    token = email_links.find_link(message.token, email_links.VERIFY_EMAIL)
    assert (token.user_id, token.email, token.epoch) == (account.user_id, "ada@example.com", 2)
    with pytest.raises(Rejected):
        send_verification(account.user, networks=("198.51.100.1",), base_url=BASE)
    latchkey.set_counters("mail-verification-network_203.0.113.7", tiers.VERIFICATION_EMAILS.network, used=30)
    with pytest.raises(Rejected):
        send_verification(new_account(verified=False).user, networks=CALLER.networks, base_url=BASE)
    assert box.take() == []


def test_reset_link_is_invalid_after_the_sessions_were_ended(latchkey: TestApp, box: Mailbox) -> None:
    """A reset link is invalid after a log-out everywhere."""
    account = new_account(email="ada@example.com")
    account.user.update(actions=[User.session_epoch.set(3)])
    for email in ("ada@example.com", "Eve@example.com"):
        request_reset(email)
    found = {token.email: (token.user_id, token.purpose, token.epoch) for token in OneTimeToken.scan()}
    assert found == {
        "ada@example.com": (account.user_id, "set_password", 3),
        "eve@example.com": (find.NO_USER, "set_password", 0),
    }
