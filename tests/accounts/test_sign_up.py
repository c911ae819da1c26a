"""Signing up and asking for another password: what is made, what is sent, and that both take alike."""

import pytest

from chalicelib.accounts import find
from chalicelib.accounts.sign_up import ask_for_reset, sign_up
from chalicelib.core import errors, telemetry
from tests.house import House
from tests.letterbox import Letterbox
from tests.visitor import PASSWORD, person

BASE = "https://api.example.com"


def test_new_account_is_free_and_unproven(home: House, box: Letterbox) -> None:
    """Nobody signs up as an admin, with a tier, or with a proven address."""
    sign_up(email="Ada@Example.com", name="Ada", password=PASSWORD, base_url=BASE)
    account = find.account_by_email("ada@example.com")
    assert (account.tier, account.admin, account.status) == ("free", False, "active")
    assert account.email_verified_at is None
    letter = box.take_one()
    assert (letter.to, letter.subject) == ("ada@example.com", "Confirm your email address")
    assert letter.link.startswith(f"{BASE}/verify?ticket=lk_ml_")


def test_sign_up_with_a_known_address_changes_nothing_and_tells_its_owner(home: House, box: Letterbox) -> None:
    """Neither name nor password of the account change; the letter holds no ticket."""
    account = person(email="ada@example.com")
    sign_up(email="ADA@example.com", name="Mallory", password="harmonica wolverine custard", base_url=BASE)
    assert find.account_by_email("ada@example.com").password_hash == account.password_hash
    letter = box.take_one()
    assert (letter.to, letter.subject) == ("ada@example.com", "You have an account already")
    assert letter.link == f"{BASE}/login"
    assert "Mallory" not in letter.text


def test_bad_password_makes_no_account(home: House, box: Letterbox) -> None:
    """Nothing is stored and nothing sent for a sign-up that is refused."""
    for email, password in (("ada@example.com", "passwordpassword"), ("no address", PASSWORD)):
        with pytest.raises(errors.InvalidRequest):
            sign_up(email=email, name="Ada", password=password, base_url=BASE)
    assert (list(find.accounts_after("", 10)), box.take()) == ([], [])


def test_reset_is_sent_to_a_known_address_only(home: House, box: Letterbox) -> None:
    """A stranger's address gets no mail from us."""
    person(email="ada@example.com")
    ask_for_reset(email="ADA@example.com", base_url=BASE)
    letter = box.take_one()
    assert letter.to == "ada@example.com"
    assert letter.link.startswith(f"{BASE}/password?ticket=lk_ml_")
    ask_for_reset(email="nobody@example.com", base_url=BASE)
    assert box.take() == []


@pytest.mark.parametrize("what", ["sign_up", "reset"])
def test_known_and_unknown_address_make_the_same_calls(home: House, what: str) -> None:
    """The same calls in the same order: one more read would tell by the time it takes."""
    person(email="ada@example.com")
    made = []
    for email in ("ada@example.com", "nobody@example.com"):
        with telemetry.calls_watched() as calls:
            if what == "sign_up":
                sign_up(email=email, name="Ada", password=PASSWORD, base_url=BASE)
            else:
                ask_for_reset(email=email, base_url=BASE)
        made.append(calls.made)
    assert made[0] == made[1]
