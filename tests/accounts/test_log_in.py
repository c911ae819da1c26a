"""Failed log-ins don't reveal their cause, and password attempts are limited separately from API requests."""

import hashlib
import json
from dataclasses import replace

import pytest

from chalicelib.accounts import change, sessions, states
from chalicelib.accounts.log_in import Suspended, WrongLogIn, log_in
from chalicelib.accounts.password_attempts import Caller
from chalicelib.accounts.tables import User
from chalicelib.core import settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.limits import counter_items
from chalicelib.limits.admission import Rejected
from chalicelib.limits.tiers import Tier
from tests.support.console_client import PASSWORD, new_account
from tests.support.harness import TestApp

WRONG = "not the password at all"
NETWORK = "203.0.113.7"


def try_log_in(email: str, password: str = WRONG, *, network: str = NETWORK, device: str = "") -> str:
    """Try to log in, and return the outcome."""
    try:
        log_in(email=email, password=password, caller=Caller((network,), device))
    except (WrongLogIn, Suspended, Rejected) as refused:
        return refused.error
    return "in"


def set_attempts(latchkey: TestApp, kind: str, subject: str, count: int) -> None:
    """Set the counter of password attempts in this hour."""
    latchkey.set_counters(f"log-in-{kind}_{subject}", Tier(f"log-in-{kind}", count, count), used=count)


def email_subject(email: str) -> str:
    """Return the subject under which attempts for an address are counted."""
    return hashlib.sha256(email.encode()).hexdigest()[:32]


def subjects(latchkey: TestApp) -> list[str]:
    """Return the subjects of all counters."""
    items = dynamodb.call("Scan", {"TableName": settings.current().table(counter_items.TABLE)})["Items"]
    return [item["subject"]["S"] for item in items]


def test_attempts_for_invalid_addresses_are_counted_separately(latchkey: TestApp) -> None:
    """Attempts for one invalid address don't limit attempts for another invalid address."""
    for number in range(settings.current().log_in_attempts_per_email):
        assert try_log_in("bob@gmial", network=f"198.51.100.{number}") == "wrong_log_in"
    assert try_log_in(" BOB@gmial", network="192.0.2.1") == "rate_limit_exceeded"
    for email in ("alice@gmial", "", "é" * 60_000, "\ud800", "bob@gmial.example"):
        assert try_log_in(email, network="192.0.2.2") == "wrong_log_in"


def test_correct_password_returns_the_user(latchkey: TestApp) -> None:
    """A log-in with the correct password and any spelling of the address returns the user."""
    account = new_account(email="ada@example.com")
    for email in ("ada@example.com", " ADA@Example.COM "):
        assert log_in(email=email, password=PASSWORD, caller=Caller((NETWORK,))).id == account.user_id


@pytest.mark.parametrize(
    "email", ["ada@example.com", "nobody@example.com", "no address", "", "a" * 300 + "@example.com"]
)
def test_failed_log_in_doesnt_reveal_the_cause(latchkey: TestApp, email: str) -> None:
    """A wrong password, an unknown address and an invalid address cause the same error."""
    new_account(email="ada@example.com")
    with pytest.raises(WrongLogIn) as refused:
        log_in(email=email, password=WRONG, caller=Caller((NETWORK,)))
    assert (refused.value.status, refused.value.message) == (401, "Incorrect email or password.")


def test_user_without_a_password_rejects_every_password(latchkey: TestApp) -> None:
    """An invited user without a password can't log in."""
    latchkey.account(email="ada@example.com")
    assert try_log_in("ada@example.com", "") == "wrong_log_in"


def test_suspension_is_reported_only_with_the_correct_password(latchkey: TestApp) -> None:
    """The suspension of a user is reported only with the correct password, so other callers can't detect it."""
    account = new_account(email="ada@example.com")
    account.user.update(actions=[User.status.set(states.SUSPENDED)])
    assert try_log_in("ada@example.com", WRONG) == "wrong_log_in"
    with pytest.raises(Suspended) as refused:
        log_in(email="ada@example.com", password=PASSWORD, caller=Caller((NETWORK,)))
    assert (refused.value.status, refused.value.message) == (
        403,
        "This account is suspended. Contact the operator of this API.",
    )


def test_user_of_a_suspended_account_can_log_in(latchkey: TestApp) -> None:
    """The suspension of an account doesn't prevent its users from logging in, as they may have other accounts."""
    account = new_account(email="ada@example.com")
    change.set_tier_and_status(account.id, tier=None, status=states.SUSPENDED, actor="operator")
    assert try_log_in("ada@example.com", PASSWORD) == "in"


@pytest.mark.parametrize("email", ["ada@example.com", "nobody@example.com"], ids=["known", "unknown"])
def test_address_has_20_attempts_an_hour_with_or_without_a_user(latchkey: TestApp, email: str) -> None:
    """After 20 attempts for an address in an hour, even the correct password is rejected, from any network."""
    new_account(email="ada@example.com")
    latchkey.clock.forward(1_800)
    set_attempts(latchkey, "email", email_subject(email), 19)
    assert try_log_in(email) == "wrong_log_in"
    with pytest.raises(Rejected) as refused:
        log_in(email=email.upper(), password=PASSWORD, caller=Caller(("198.51.100.9",)))
    assert (refused.value.limit, refused.value.retry_after_s) == ("quota", 1_800)
    latchkey.clock.forward(1_800)
    assert try_log_in(email) == "wrong_log_in"


def test_attempts_have_no_burst_limit(latchkey: TestApp) -> None:
    """All 20 attempts of an hour may be made within one second."""
    with settings.override(replace(settings.current(), log_in_attempts_per_email=4)):
        assert [try_log_in("ada@example.com") for _ in range(5)] == ["wrong_log_in"] * 4 + ["rate_limit_exceeded"]


def test_network_has_300_attempts_an_hour(latchkey: TestApp) -> None:
    """After 300 attempts in an hour a network is rejected for all addresses; other networks are not affected."""
    new_account(email="ada@example.com")
    set_attempts(latchkey, "network", NETWORK, 300)
    assert try_log_in("ada@example.com", PASSWORD) == "rate_limit_exceeded"
    assert try_log_in("ada@example.com", PASSWORD, network="203.0.113.8") == "in"


def test_rejected_network_doesnt_use_up_the_attempts_of_addresses(latchkey: TestApp) -> None:
    """Attempts from a rejected network aren't counted for the address."""
    set_attempts(latchkey, "network", NETWORK, 300)
    for _ in range(30):
        assert try_log_in("ada@example.com") == "rate_limit_exceeded"
    assert not [subject for subject in subjects(latchkey) if "log-in-email" in subject]


def test_remembered_device_has_its_own_attempts(latchkey: TestApp) -> None:
    """Users can log in on a remembered device after others have used up the attempts for their address."""
    account = new_account(email="ada@example.com")
    device = sessions.remember_device(account.user)
    set_attempts(latchkey, "email", email_subject("ada@example.com"), 20)
    assert try_log_in("ada@example.com", PASSWORD) == "rate_limit_exceeded"
    assert try_log_in("ada@example.com", PASSWORD, device=device) == "in"


def test_remembered_device_has_20_attempts_an_hour(latchkey: TestApp) -> None:
    """After 20 attempts in an hour a remembered device is rejected, so a stolen device cookie allows few guesses."""
    account = new_account(email="ada@example.com")
    device = sessions.remember_device(account.user)
    set_attempts(latchkey, "device", account.user_id, 20)
    assert try_log_in("ada@example.com", PASSWORD, device=device) == "rate_limit_exceeded"


def test_devices_of_a_user_share_their_attempts(latchkey: TestApp) -> None:
    """An attacker who registers 18 remembered devices of a user gets no more attempts than with one."""
    account = new_account(email="ada@example.com")
    devices = [sessions.remember_device(account.user) for _ in range(3)]
    with settings.override(replace(settings.current(), log_in_attempts_per_email=4)):
        tried = [try_log_in("ada@example.com", device=device) for _ in range(4) for device in devices]
    assert tried.count("wrong_log_in") == 4


def test_device_is_forgotten_when_the_sessions_are_ended(latchkey: TestApp) -> None:
    """After a log-out everywhere, attempts from a remembered device are counted for the address."""
    account = new_account(email="ada@example.com")
    device = sessions.remember_device(account.user)
    sessions.end_all(account.user_id)
    set_attempts(latchkey, "email", email_subject("ada@example.com"), 20)
    assert try_log_in("ada@example.com", PASSWORD, device=device) == "rate_limit_exceeded"


def test_device_of_another_user_has_no_effect(latchkey: TestApp) -> None:
    """Attempts from a device that is remembered for another user are counted for the address."""
    new_account(email="ada@example.com")
    device = sessions.remember_device(new_account(name="Eve").user)
    set_attempts(latchkey, "email", email_subject("ada@example.com"), 20)
    assert try_log_in("ada@example.com", PASSWORD, device=device) == "rate_limit_exceeded"


def test_attempts_dont_count_against_the_accounts_quota(latchkey: TestApp) -> None:
    """Log-in attempts count against neither the hourly quota nor the burst limit of the account."""
    account = new_account(email="ada@example.com")
    secret = latchkey.key(account).secret
    with settings.override(replace(settings.current(), log_in_attempts_per_email=2)):
        assert [try_log_in("ada@example.com") for _ in range(3)][-1] == "rate_limit_exceeded"
    assert not [subject for subject in subjects(latchkey) if account.id in subject or account.user_id in subject]
    response = latchkey.call("GET", "/v1/limits", secret)
    assert (response.json()["quota"]["remaining"], response.json()["burst"]["remaining"]) == (999, 49)


def test_address_of_an_attempt_is_not_stored(latchkey: TestApp) -> None:
    """The counters store the hash of an address, not the address."""
    try_log_in("somebody@example.com")
    items = dynamodb.call("Scan", {"TableName": settings.current().table(counter_items.TABLE)})["Items"]
    assert "somebody" not in json.dumps(items)


@pytest.mark.parametrize("with_device", [False, True], ids=["no_device", "device"])
def test_failed_log_ins_make_the_same_database_calls(latchkey: TestApp, with_device: bool) -> None:
    """A failed log-in makes the same database calls whether or not the address has a user, so that timing reveals
    nothing.
    """
    account = new_account(email="ada@example.com")
    device = sessions.remember_device(new_account(name="Eve").user) if with_device else ""
    made = []
    for email in (account.email, "nobody@example.com"):
        with telemetry.record_calls() as calls:
            assert try_log_in(email, device=device) == "wrong_log_in"
        made.append(calls.made)
    assert made[0] == made[1]


def test_settings_have_the_limits(latchkey: TestApp) -> None:
    """The operator can set the limits by address and by network."""
    with settings.override(replace(settings.current(), log_in_attempts_per_network=1)):
        assert [try_log_in(f"{name}@example.com") for name in ("ada", "eve")] == ["wrong_log_in", "rate_limit_exceeded"]
