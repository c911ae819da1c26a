"""What people do to their own accounts."""

import json
from collections.abc import Callable

import pytest

from chalicelib.accounts import find, own, sessions
from chalicelib.accounts.sessions import LoggedIn
from chalicelib.accounts.tables import Account
from chalicelib.core import errors, settings, wire
from chalicelib.limits import tiers
from tests.house import House, refusal
from tests.letterbox import Letterbox
from tests.visitor import PASSWORD, SOMEWHERE, person

BASE = "https://api.example.com"
OTHER = "harmonica wolverine custard"
WRONG = "not the password at all"


def visit(account: Account) -> LoggedIn:
    """Return the account's person, logged in."""
    found = sessions.session_of(sessions.open_session(account))
    assert found is not None
    return found


def test_every_change_asks_for_the_password(home: House, box: Letterbox) -> None:
    """Whoever finds an open browser can't take the account over, nor delete it."""
    account = person()
    someone = visit(account)
    deeds: list[Callable[[], object]] = [
        lambda: own.change_password(someone, caller=SOMEWHERE, password=WRONG, new_password=OTHER, base_url=BASE),
        lambda: own.ask_for_email(someone, caller=SOMEWHERE, password=WRONG, email="new@example.com", base_url=BASE),
        lambda: own.delete(someone, caller=SOMEWHERE, password=WRONG),
    ]
    for deed in deeds:
        with pytest.raises(errors.InvalidRequest, match="password is wrong"):
            deed()
    assert box.take() == []
    assert Account.get(account.id).password_hash == account.password_hash


def test_password_change_is_told_to_the_address(home: House, box: Letterbox) -> None:
    """If it wasn't the owner, the letter says where to choose another one."""
    account = person()
    own.change_password(visit(account), caller=SOMEWHERE, password=PASSWORD, new_password=OTHER, base_url=BASE)
    letter = box.take_one()
    assert (letter.to, letter.subject) == (account.email, "Your password was changed")
    assert letter.link == f"{BASE}/forgot"


def test_new_password_must_be_good(home: House, box: Letterbox) -> None:
    """The same rules as at sign-up, one's own name included."""
    for bad in ("short", "passwordpassword", "AdaAdaAdaAda"):
        with pytest.raises(errors.InvalidRequest):
            own.change_password(visit(person()), caller=SOMEWHERE, password=PASSWORD, new_password=bad, base_url=BASE)
    assert box.take() == []


def test_link_to_another_address_goes_there_and_nothing_changes_yet(home: House, box: Letterbox) -> None:
    """Until the link is used the account has its old address."""
    account = person()
    own.ask_for_email(visit(account), caller=SOMEWHERE, password=PASSWORD, email=" New@Example.com ", base_url=BASE)
    letter = box.take_one()
    assert letter.to == "New@example.com"
    assert letter.link.startswith(f"{BASE}/verify?ticket=lk_ml_")
    assert Account.get(account.id).email == account.email


def test_taken_address_gets_no_link(home: House, box: Letterbox) -> None:
    """Its owner isn't bothered, and whoever asks isn't told."""
    taken = person(name="Eve")
    own.ask_for_email(visit(person()), caller=SOMEWHERE, password=PASSWORD, email=taken.email, base_url=BASE)
    assert box.take() == []


def test_deleted_account_is_gone(home: House) -> None:
    """Name and address are nowhere, no list shows it, and the address may sign up again."""
    account = person(email="ada@example.com", name="Ada Lovelace")
    own.delete(visit(account), caller=SOMEWHERE, password=PASSWORD)
    assert [found.id for found in find.accounts_after("", 10)] == []
    with pytest.raises(errors.NotFound):
        find.account_by_id(account.id)
    with pytest.raises(errors.NotFound):
        find.account_by_email("ada@example.com")
    for table in ("accounts", "emails"):
        stored = json.dumps(wire.call("Scan", {"TableName": settings.current().table(table)})["Items"])
        assert "ada" not in stored.lower()
        assert "argon2" not in stored
    assert person(email="ada@example.com").id != account.id


def test_keys_of_a_deleted_account_stop_though_the_gateway_remembers_them(home: House) -> None:
    """The next request is refused, with the gateway's yes still in its cache."""
    account = person(tier=tiers.PRO)
    key = home.key(account)
    assert home.call("GET", "/v1/users/me", key.secret).status == 200
    own.delete(visit(account), caller=SOMEWHERE, password=PASSWORD)
    assert any(key.secret in token for token in home.gateway.cached)
    assert refusal(home.call("GET", "/v1/users/me", key.secret)) == (401, "invalid_api_key")


def test_deletion_repeated_by_a_slow_browser_is_a_conflict(home: House) -> None:
    """Who pressed twice is told so; the second press deletes nothing else."""
    account = person()
    someone = visit(account)
    own.delete(someone, caller=SOMEWHERE, password=PASSWORD)
    with pytest.raises(errors.Conflict):
        own.delete(someone, caller=SOMEWHERE, password=PASSWORD)
