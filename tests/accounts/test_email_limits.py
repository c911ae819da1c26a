"""How many mails are sent that somebody asks for: strangers take none from an account's own user."""

import io
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from chalicelib.accounts import email_links, self_service, sessions, sign_up
from chalicelib.accounts.email_address import hashed
from chalicelib.accounts.email_not_sent import MailNotSent
from chalicelib.accounts.password_attempts import Caller
from chalicelib.accounts.sessions import LoggedIn
from chalicelib.accounts.tables import Account
from chalicelib.core import settings, telemetry
from chalicelib.limits import tiers
from chalicelib.limits.admission import Refused
from tests.support.console_client import PASSWORD, SOMEWHERE, person
from tests.support.harness import TestApp
from tests.support.mailbox import Mailbox

BASE = "https://api.example.com"
ADA = "ada@example.com"
NEW = "new@example.com"


@pytest.fixture
def unsendable(latchkey: TestApp) -> Iterator[None]:
    """A sender that SES hasn't verified, so that it takes no mail."""
    telemetry.write_to(io.StringIO())
    with settings.in_use(replace(settings.current(), mail_from="unverified@example.com")):
        yield
    telemetry.write_to(None)


def network(number: int) -> Caller:
    """Return one of many strangers."""
    return Caller((f"198.51.100.{number}",))


def visit(account: Account) -> LoggedIn:
    """Return the account's person, logged in."""
    found = sessions.session_of(sessions.open_session(account))
    assert found is not None
    return found


def changes(account: Account, email: str = NEW, caller: Caller = SOMEWHERE) -> None:
    """Ask that an account move to another address."""
    self_service.ask_for_email(visit(account), caller=caller, password=PASSWORD, email=email, base_url=BASE)


def resets(caller: Caller = SOMEWHERE) -> None:
    """Ask for another password."""
    sign_up.ask_for_reset(email=ADA, caller=caller, base_url=BASE)


def signs_up(caller: Caller = SOMEWHERE) -> None:
    """Sign up with an address."""
    console = sign_up.SignUpRequest(caller.networks)
    sign_up.sign_up(email=ADA, name="A", password=PASSWORD, request=console, base_url=BASE)


@pytest.mark.parametrize("from_elsewhere", [True, False], ids=["other network", "same network"])
def test_stranger_uses_up_nobody_elses_change_of_address(latchkey: TestApp, box: Mailbox, from_elsewhere: bool) -> None:
    """They are refused for their own account; the mail of the account that has the address comes."""
    stranger, rightful = person(name="Mallory"), person()
    for _ in range(5):
        changes(stranger, caller=network(1) if from_elsewhere else SOMEWHERE)
    with pytest.raises(Refused):
        changes(stranger)
    assert len(box.take()) == 5
    changes(rightful)
    assert email_links.looked_up(box.take_one().ticket, email_links.CHANGE_EMAIL).account_id == rightful.id


def test_many_strangers_use_up_nobody_elses_first_change_of_address(latchkey: TestApp, box: Mailbox) -> None:
    """From many accounts an address gets 20 an hour, beside each account's first; who gets none is told so."""
    rightful = person()
    latchkey.counted(f"mail_{hashed(NEW)}", tiers.EMAIL_CHANGE_MAILS.address, used=20)
    changes(rightful)
    assert box.take_one().to == NEW
    with pytest.raises(Refused):
        changes(rightful)
    assert box.take() == []


def test_taken_and_free_address_refuse_alike(latchkey: TestApp, box: Mailbox) -> None:
    """No allowance tells whether somebody has an address."""
    taken = person(email=NEW)
    for email in (taken.email, "free@example.com"):
        asker = person()
        for _ in range(5):
            changes(asker, email)
        with pytest.raises(Refused):
            changes(asker, email)


def test_stranger_on_one_network_leaves_an_address_its_mails_from_elsewhere(latchkey: TestApp, box: Mailbox) -> None:
    """Of resets and of sign-ups one network has five an hour for an address, however wide an IPv6 network is."""
    for number in range(12):
        signs_up(Caller((f"2001:db8:1:{number}::/64", "2001:db8:1::/48")))
    assert len(box.take()) == 5
    signs_up()
    assert box.take_one().subject == "Confirm your email address"
    person(email=ADA)
    for number in range(12):
        resets(Caller((f"2001:db8:1:{number}::/64", "2001:db8:1::/48")))
    assert len(box.take()) == 5
    resets()
    assert box.take_one().subject == "Choose another password"


def test_nobodys_mailbox_is_flooded_by_whoever_asks(latchkey: TestApp, box: Mailbox) -> None:
    """From however many networks: twenty mails of a kind an hour, and the next one in the next hour."""
    person(email=ADA)
    for number in range(24):
        resets(network(number))
        signs_up(network(number))
    assert len(box.take()) == 2 * 20
    latchkey.clock.forward(3_600)
    resets()
    assert box.take_one().to == ADA


def test_user_on_a_remembered_device_gets_a_reset_whatever_strangers_asked_for(latchkey: TestApp, box: Mailbox) -> None:
    """On a device that logged in before, they have five an hour of their own; elsewhere the mails that came work."""
    account = person(email=ADA)
    latchkey.counted(f"mail_{hashed(ADA)}", tiers.RESET_MAILS.address, used=20)
    device = replace(SOMEWHERE, device=sessions.remember_device(account))
    for _ in range(7):
        resets(device)
    assert len(box.take()) == 5
    resets(replace(SOMEWHERE, device=sessions.remember_device(person(name="Mallory"))))
    assert box.take() == []


def test_user_who_confirms_their_address_is_counted_by_account(latchkey: TestApp, box: Mailbox) -> None:
    """Sign-ups of strangers with the address take nothing from it; beyond five the user is told."""
    account = person(email=ADA, verified=False)
    latchkey.counted(f"mail_{hashed(ADA)}", tiers.VERIFICATION_MAILS.address, used=20)
    for _ in range(5):
        sign_up.send_verification(account, networks=SOMEWHERE.networks, base_url=BASE)
    with pytest.raises(Refused):
        sign_up.send_verification(account, networks=SOMEWHERE.networks, base_url=BASE)
    assert len(box.take()) == 5


@pytest.mark.usefixtures("unsendable")
def test_mail_that_could_not_be_sent_is_not_said_to_be(latchkey: TestApp) -> None:
    """Whoever is known, or learns nothing by it, is told; that a reset failed might tell who has an account."""
    account = person(email=ADA, verified=False)
    asked: list[Callable[[], None]] = [
        lambda: sign_up.send_verification(account, networks=SOMEWHERE.networks, base_url=BASE),
        lambda: changes(account),
        signs_up,
    ]
    for ask in asked:
        with pytest.raises(MailNotSent, match="couldn't be sent"):
            ask()
    resets()
