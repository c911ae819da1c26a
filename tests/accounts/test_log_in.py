"""Logging in: what is wrong is not told apart, and guessing runs into limits that touch nobody's use of the API."""

import hashlib
import json
from dataclasses import replace

import pytest

from chalicelib.accounts import change, sessions, states
from chalicelib.accounts.log_in import Suspended, WrongLogIn, log_in
from chalicelib.accounts.password_attempts import Caller
from chalicelib.core import settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.limits import counter_items
from chalicelib.limits.admission import Refused
from chalicelib.limits.tiers import Tier
from tests.support.console_client import PASSWORD, person
from tests.support.harness import TestApp

WRONG = "not the password at all"
NETWORK = "203.0.113.7"


def try_it(email: str, password: str = WRONG, *, network: str = NETWORK, device: str = "") -> str:
    """Try to log in and return what came of it."""
    try:
        log_in(email=email, password=password, caller=Caller((network,), device))
    except (WrongLogIn, Suspended, Refused) as refused:
        return refused.error
    return "in"


def attempts_made(latchkey: TestApp, kind: str, subject: str, count: int) -> None:
    """Count so many attempts in this hour as if they had been made."""
    latchkey.counted(f"log-in-{kind}_{subject}", Tier(f"log-in-{kind}", count, count), used=count)


def by_email(email: str) -> str:
    """Return what the attempts for an address are counted under."""
    return hashlib.sha256(email.encode()).hexdigest()[:32]


def subjects(latchkey: TestApp) -> list[str]:
    """Return the subjects of every counter there is."""
    items = dynamodb.call("Scan", {"TableName": settings.current().table(counter_items.TABLE)})["Items"]
    return [item["subject"]["S"] for item in items]


def test_attempts_for_what_is_no_address_are_counted_each_by_itself(latchkey: TestApp) -> None:
    """Twenty attempts for one mistyped address take no attempt from another, however long both are."""
    for number in range(settings.current().log_in_attempts_per_email):
        assert try_it("bob@gmial", network=f"198.51.100.{number}") == "wrong_log_in"
    assert try_it(" BOB@gmial", network="192.0.2.1") == "rate_limit_exceeded"
    for email in ("alice@gmial", "", "é" * 60_000, "\ud800", "bob@gmial.example"):
        assert try_it(email, network="192.0.2.2") == "wrong_log_in"


def test_right_password_opens_the_account(latchkey: TestApp) -> None:
    """Whatever spelling of the address is given."""
    account = person(email="ada@example.com")
    for email in ("ada@example.com", " ADA@Example.COM "):
        assert log_in(email=email, password=PASSWORD, caller=Caller((NETWORK,))).id == account.id


@pytest.mark.parametrize(
    "email", ["ada@example.com", "nobody@example.com", "no address", "", "a" * 300 + "@example.com"]
)
def test_wrong_log_in_looks_the_same_whatever_is_wrong(latchkey: TestApp, email: str) -> None:
    """A wrong password, an unknown address and something that is no address get the same answer."""
    person(email="ada@example.com")
    with pytest.raises(WrongLogIn) as refused:
        log_in(email=email, password=WRONG, caller=Caller((NETWORK,)))
    assert (refused.value.status, refused.value.message) == (401, "Incorrect email or password.")


def test_account_without_a_password_opens_to_none(latchkey: TestApp) -> None:
    """An account made by an admin has no password until its person sets one; until then none is right."""
    latchkey.account(email="ada@example.com")
    assert try_it("ada@example.com", "") == "wrong_log_in"


def test_suspension_is_told_to_who_has_the_password_only(latchkey: TestApp) -> None:
    """A stranger can't learn from a wrong password that there is an account, and that it is suspended."""
    account = person(email="ada@example.com")
    change.set_standing(account.id, tier=None, status=states.SUSPENDED, actor="operator")
    assert try_it("ada@example.com", WRONG) == "wrong_log_in"
    with pytest.raises(Suspended) as refused:
        log_in(email="ada@example.com", password=PASSWORD, caller=Caller((NETWORK,)))
    assert (refused.value.status, refused.value.message) == (
        403,
        "This account is suspended. Contact the operator of this API.",
    )


@pytest.mark.parametrize("email", ["ada@example.com", "nobody@example.com"], ids=["known", "unknown"])
def test_address_has_20_attempts_an_hour_known_or_not(latchkey: TestApp, email: str) -> None:
    """The twentieth is tried; the next one isn't, even with the right password and from elsewhere, in this hour."""
    person(email="ada@example.com")
    latchkey.clock.forward(1_800)
    attempts_made(latchkey, "email", by_email(email), 19)
    assert try_it(email) == "wrong_log_in"
    with pytest.raises(Refused) as refused:
        log_in(email=email.upper(), password=PASSWORD, caller=Caller(("198.51.100.9",)))
    assert (refused.value.limit, refused.value.retry_after_s) == ("quota", 1_800)
    latchkey.clock.forward(1_800)
    assert try_it(email) == "wrong_log_in"


def test_attempts_may_all_come_in_one_second(latchkey: TestApp) -> None:
    """There is no burst below the hour's number: a person who types fast isn't told something else."""
    with settings.in_use(replace(settings.current(), log_in_attempts_per_email=4)):
        assert [try_it("ada@example.com") for _ in range(5)] == ["wrong_log_in"] * 4 + ["rate_limit_exceeded"]


def test_network_has_300_attempts_an_hour(latchkey: TestApp) -> None:
    """After 300 tries for whatever addresses a network is refused; another one isn't."""
    person(email="ada@example.com")
    attempts_made(latchkey, "network", NETWORK, 300)
    assert try_it("ada@example.com", PASSWORD) == "rate_limit_exceeded"
    assert try_it("ada@example.com", PASSWORD, network="203.0.113.8") == "in"


def test_network_that_is_refused_uses_up_no_address(latchkey: TestApp) -> None:
    """A flood from one network doesn't spend the attempts of those it guesses at."""
    attempts_made(latchkey, "network", NETWORK, 300)
    for _ in range(30):
        assert try_it("ada@example.com") == "rate_limit_exceeded"
    assert not [subject for subject in subjects(latchkey) if "log-in-email" in subject]


def test_known_device_has_its_own_attempts(latchkey: TestApp) -> None:
    """When strangers have used up the attempts of an address, its owner still logs in where they did before."""
    account = person(email="ada@example.com")
    device = sessions.remember_device(account)
    attempts_made(latchkey, "email", by_email("ada@example.com"), 20)
    assert try_it("ada@example.com", PASSWORD) == "rate_limit_exceeded"
    assert try_it("ada@example.com", PASSWORD, device=device) == "in"


def test_known_device_is_held_to_as_many_attempts(latchkey: TestApp) -> None:
    """A stolen device cookie buys twenty guesses an hour, not endless ones."""
    account = person(email="ada@example.com")
    device = sessions.remember_device(account)
    attempts_made(latchkey, "device", account.id, 20)
    assert try_it("ada@example.com", PASSWORD, device=device) == "rate_limit_exceeded"


def test_devices_of_an_account_share_their_attempts(latchkey: TestApp) -> None:
    """Whoever knew a password and logged in 18 times has no 18 times as many guesses at the next one."""
    account = person(email="ada@example.com")
    devices = [sessions.remember_device(account) for _ in range(3)]
    with settings.in_use(replace(settings.current(), log_in_attempts_per_email=4)):
        tried = [try_it("ada@example.com", device=device) for _ in range(4) for device in devices]
    assert tried.count("wrong_log_in") == 4


def test_device_buys_nothing_after_its_account_logged_out_everywhere(latchkey: TestApp) -> None:
    """It counts like any other browser then: by the address."""
    account = person(email="ada@example.com")
    device = sessions.remember_device(account)
    sessions.end_all(account.id)
    attempts_made(latchkey, "email", by_email("ada@example.com"), 20)
    assert try_it("ada@example.com", PASSWORD, device=device) == "rate_limit_exceeded"


def test_device_of_another_account_buys_nothing(latchkey: TestApp) -> None:
    """Whoever has an account of their own can't guess at someone else's with its device."""
    person(email="ada@example.com")
    device = sessions.remember_device(person(name="Eve"))
    attempts_made(latchkey, "email", by_email("ada@example.com"), 20)
    assert try_it("ada@example.com", PASSWORD, device=device) == "rate_limit_exceeded"


def test_attempts_never_touch_the_allowance_of_the_api(latchkey: TestApp) -> None:
    """Whoever guesses at an account takes nothing from its quota and burst."""
    account = person(email="ada@example.com")
    secret = latchkey.key(account).secret
    with settings.in_use(replace(settings.current(), log_in_attempts_per_email=2)):
        assert [try_it("ada@example.com") for _ in range(3)][-1] == "rate_limit_exceeded"
    assert not [subject for subject in subjects(latchkey) if account.id in subject]
    answer = latchkey.call("GET", "/v1/limits", secret)
    assert (answer.json()["quota"]["remaining"], answer.json()["burst"]["remaining"]) == (999, 49)


def test_address_that_was_tried_is_not_stored(latchkey: TestApp) -> None:
    """Someone's address must not stand in our tables because it was typed into a form."""
    try_it("somebody@example.com")
    items = dynamodb.call("Scan", {"TableName": settings.current().table(counter_items.TABLE)})["Items"]
    assert "somebody" not in json.dumps(items)


@pytest.mark.parametrize("with_device", [False, True], ids=["no_device", "device"])
def test_wrong_log_ins_make_the_same_calls(latchkey: TestApp, with_device: bool) -> None:
    """Known or unknown, the same calls in the same order: otherwise the time would tell, or a device of one's own."""
    account = person(email="ada@example.com")
    device = sessions.remember_device(person(name="Eve")) if with_device else ""
    made = []
    for email in (account.email, "nobody@example.com"):
        with telemetry.calls_watched() as calls:
            assert try_it(email, device=device) == "wrong_log_in"
        made.append(calls.made)
    assert made[0] == made[1]


def test_settings_hold_the_numbers(latchkey: TestApp) -> None:
    """An owner may set both limits."""
    with settings.in_use(replace(settings.current(), log_in_attempts_per_network=1)):
        assert [try_it(f"{name}@example.com") for name in ("ada", "eve")] == ["wrong_log_in", "rate_limit_exceeded"]
