"""Limits on requested emails: anonymous callers can't use up a user's own limit."""

import io
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from chalicelib.accounts import email_links, self_service, sessions, sign_up
from chalicelib.accounts.email_address import hash_claim
from chalicelib.accounts.email_not_sent import EmailNotSent
from chalicelib.accounts.password_attempts import Caller
from chalicelib.accounts.sessions import LoggedIn
from chalicelib.core import settings, telemetry
from chalicelib.limits import tiers
from chalicelib.limits.admission import Rejected
from tests.support.console_client import CALLER, PASSWORD, new_account
from tests.support.harness import AccountOfTest, TestApp
from tests.support.mailbox import Mailbox

BASE = "https://api.example.com"
ADA = "ada@example.com"
NEW = "new@example.com"


@pytest.fixture
def unsendable(latchkey: TestApp) -> Iterator[None]:
    """An SES sender that isn't verified, so that SES rejects its emails."""
    telemetry.write_to(io.StringIO())
    with settings.override(replace(settings.current(), mail_from="unverified@example.com")):
        yield
    telemetry.write_to(None)


def network(number: int) -> Caller:
    """Return a caller whose network differs for each number."""
    return Caller((f"198.51.100.{number}",))


def log_in(account: AccountOfTest) -> LoggedIn:
    """Log in the account's user and return the session."""
    found = sessions.session_of(sessions.open_session(account.user))
    assert found is not None
    return found


def request_change(account: AccountOfTest, email: str = NEW, caller: Caller = CALLER) -> None:
    """Request an email change."""
    self_service.request_email_change(log_in(account), caller=caller, password=PASSWORD, email=email, base_url=BASE)


def request_reset(caller: Caller = CALLER) -> None:
    """Request a password reset."""
    sign_up.request_password_reset(email=ADA, caller=caller, base_url=BASE)


def sign_up_from(caller: Caller = CALLER) -> None:
    """Sign up with an address."""
    console = sign_up.SignUpRequest(caller.networks)
    sign_up.sign_up(email=ADA, name="A", password=PASSWORD, request=console, base_url=BASE)


@pytest.mark.parametrize("from_elsewhere", [True, False], ids=["other network", "same network"])
def test_email_changes_of_a_user_dont_limit_others(latchkey: TestApp, box: Mailbox, from_elsewhere: bool) -> None:
    """Email changes beyond one user's limit don't prevent another user from changing to the same address."""
    attacker, rightful = new_account(name="Mallory"), new_account()
    for _ in range(5):
        request_change(attacker, caller=network(1) if from_elsewhere else CALLER)
    with pytest.raises(Rejected):
        request_change(attacker)
    assert len(box.take()) == 5
    request_change(rightful)
    assert email_links.find_link(box.take_one().token, email_links.CHANGE_EMAIL).user_id == rightful.user_id


def test_email_changes_of_many_users_dont_limit_the_first_of_another(latchkey: TestApp, box: Mailbox) -> None:
    """When 20 emails for address changes were sent to an address in an hour, a user's first request still sends an
    email, and its second request is rejected.
    """
    rightful = new_account()
    latchkey.set_counters(f"mail_{hash_claim(NEW)}", tiers.EMAIL_CHANGE_EMAILS.address, used=20)
    request_change(rightful)
    assert box.take_one().to == NEW
    with pytest.raises(Rejected):
        request_change(rightful)
    assert box.take() == []


def test_email_change_has_the_same_limits_for_a_known_address(latchkey: TestApp, box: Mailbox) -> None:
    """The limits are the same for an address with and without a user, so they don't reveal whether a user
    exists.
    """
    taken = new_account(email=NEW)
    for email in (taken.email, "free@example.com"):
        asker = new_account()
        for _ in range(5):
            request_change(asker, email)
        with pytest.raises(Rejected):
            request_change(asker, email)


def test_one_network_doesnt_use_up_the_emails_of_an_address(latchkey: TestApp, box: Mailbox) -> None:
    """A network may request five resets and five sign-ups an hour for an address; a /48 counts as one network."""
    for number in range(12):
        sign_up_from(Caller((f"2001:db8:1:{number}::/64", "2001:db8:1::/48")))
    assert len(box.take()) == 5
    sign_up_from()
    assert box.take_one().subject == "Confirm your email address"
    new_account(email=ADA)
    for number in range(12):
        request_reset(Caller((f"2001:db8:1:{number}::/64", "2001:db8:1::/48")))
    assert len(box.take()) == 5
    request_reset()
    assert box.take_one().subject == "Reset your password"


def test_address_gets_twenty_emails_of_a_kind_an_hour(latchkey: TestApp, box: Mailbox) -> None:
    """An address gets 20 emails of each type an hour from all networks together."""
    new_account(email=ADA)
    for number in range(24):
        request_reset(network(number))
        sign_up_from(network(number))
    assert len(box.take()) == 2 * 20
    latchkey.clock.forward(3_600)
    request_reset()
    assert box.take_one().to == ADA


def test_remembered_device_has_its_own_allowance_of_resets(latchkey: TestApp, box: Mailbox) -> None:
    """A remembered device may request five resets an hour, regardless of anonymous requests for the address."""
    account = new_account(email=ADA)
    latchkey.set_counters(f"mail_{hash_claim(ADA)}", tiers.RESET_EMAILS.address, used=20)
    device = replace(CALLER, device=sessions.remember_device(account.user))
    for _ in range(7):
        request_reset(device)
    assert len(box.take()) == 5
    request_reset(replace(CALLER, device=sessions.remember_device(new_account(name="Mallory").user)))
    assert box.take() == []


def test_verification_by_a_logged_in_user_is_counted_for_the_user(latchkey: TestApp, box: Mailbox) -> None:
    """A logged-in user may request five verification emails an hour, regardless of other callers' sign-ups."""
    account = new_account(email=ADA, verified=False)
    latchkey.set_counters(f"mail_{hash_claim(ADA)}", tiers.VERIFICATION_EMAILS.address, used=20)
    for _ in range(5):
        sign_up.send_verification(account.user, networks=CALLER.networks, base_url=BASE)
    with pytest.raises(Rejected):
        sign_up.send_verification(account.user, networks=CALLER.networks, base_url=BASE)
    assert len(box.take()) == 5


@pytest.mark.usefixtures("unsendable")
def test_failed_email_is_reported_except_for_a_reset(latchkey: TestApp) -> None:
    """An email that can't be sent raises an error, except for a password reset, where the error would reveal the
    user.
    """
    account = new_account(email=ADA, verified=False)
    asked: list[Callable[[], None]] = [
        lambda: sign_up.send_verification(account.user, networks=CALLER.networks, base_url=BASE),
        lambda: request_change(account),
        sign_up_from,
    ]
    for ask in asked:
        with pytest.raises(EmailNotSent, match="couldn't be sent"):
            ask()
    request_reset()
