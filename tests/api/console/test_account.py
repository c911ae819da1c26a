"""Settings > Account: name, address, password, leaving."""

import pytest

from chalicelib.accounts import sessions
from chalicelib.accounts.tables import Account
from tests.house import House, refusal
from tests.letterbox import Letterbox
from tests.visitor import PASSWORD, Visitor, logged_in, person

ACCOUNT = "/settings/account"
OTHER = "harmonica wolverine custard"


def test_settings_lead_to_the_keys(home: House) -> None:
    """The path that the guide names, Settings > API Keys, begins here."""
    assert logged_in(home, person()).open("/settings").location == "/settings/keys"


def test_name_is_changed_and_shown_to_the_api(home: House) -> None:
    """With a confirmation on the page."""
    account = person()
    visitor = logged_in(home, account)
    page = visitor.follow(visitor.submit(f"{ACCOUNT}/name", on=ACCOUNT, name="  Ada Lovelace "))
    assert page.notice == "The name is changed."
    assert page.value(f"{ACCOUNT}/name", "name") == "Ada Lovelace"
    assert home.call("GET", "/v1/users/me", home.key(account).secret).json()["name"] == "Ada Lovelace"


def test_password_is_changed_and_every_other_session_ends(home: House, box: Letterbox) -> None:
    """This browser goes on, the other is out, the old password opens nothing, and the owner is told by mail."""
    account = person()
    visitor, elsewhere = logged_in(home, account), logged_in(home, account)
    form = {"password": PASSWORD, "new_password": OTHER}
    page = visitor.follow(visitor.submit(f"{ACCOUNT}/password", on=ACCOUNT, **form))
    assert page.notice == "Your password is changed. Every other session was ended."
    assert elsewhere.open(ACCOUNT).status == 303
    assert Visitor(home).log_in(account.email).status == 401
    assert Visitor(home).log_in(account.email, OTHER).status == 303
    assert box.take_one().subject == "Your password was changed"


@pytest.mark.parametrize(
    ("action", "fields", "problem"),
    [
        ("password", {"password": "wrong", "new_password": OTHER}, "The password is wrong."),
        ("password", {"password": PASSWORD, "new_password": "short"}, "Choose a password of 12 to 256 characters."),
        ("email", {"password": "wrong", "email": "new@example.com"}, "The password is wrong."),
        ("email", {"password": PASSWORD, "email": "new"}, "Email must be an address like name@example.com."),
        ("delete", {"password": "wrong"}, "The password is wrong."),
        ("name", {"name": ""}, "Name must be a text of 1 to 100 characters on one line."),
    ],
)
def test_what_is_wrong_is_said_and_changes_nothing(
    home: House, box: Letterbox, action: str, fields: dict[str, str], problem: str
) -> None:
    """The page stays, says what was wrong, and doesn't show what was typed as a password."""
    account = person()
    page = logged_in(home, account).submit(f"{ACCOUNT}/{action}", on=ACCOUNT, **fields)
    assert (page.status, page.problem) == (400, problem)
    assert 'value="wrong"' not in page.html
    after = Account.get(account.id)
    assert (after.password_hash, after.name, after.email) == (account.password_hash, account.name, account.email)
    assert box.take() == []


def test_address_is_changed_by_a_link_sent_there(home: House, box: Letterbox) -> None:
    """Nothing changes until the link is used; then the old address is told, and only the new one logs in."""
    account = person(email="old@example.com")
    visitor = logged_in(home, account)
    asked = visitor.submit(f"{ACCOUNT}/email", on=ACCOUNT, email="New@example.com", password=PASSWORD)
    assert (
        visitor.follow(asked).notice
        == "If no other account has the new address, we have sent a link there. It works for one hour."
    )
    letter = box.take_one()
    assert letter.to == "New@example.com"
    shown = visitor.open(letter.target)
    assert "New@example.com" in shown.text
    assert Account.get(account.id).email == "old@example.com"
    page = visitor.follow(visitor.send("/verify", visitor.filled(shown, "/verify", {})))
    assert (page.target, page.notice) == (f"{ACCOUNT}?done=email-changed", "Your email address is changed.")
    told = box.take_one()
    assert (told.to, told.subject) == ("old@example.com", "Your email address was changed")
    assert "New@example.com" in told.text
    assert Visitor(home).log_in("old@example.com").status == 401
    assert Visitor(home).log_in("new@example.com").status == 303


def test_address_that_was_taken_meanwhile_is_said_to_be(home: House, box: Letterbox) -> None:
    """Who was slower keeps the old address; nobody is told of a change there was not."""
    account = person()
    visitor = logged_in(home, account)
    visitor.submit(f"{ACCOUNT}/email", on=ACCOUNT, email="new@example.com", password=PASSWORD)
    target = box.take_one().target
    person(email="new@example.com")
    page = visitor.submit(target)
    assert (page.status, "belongs to another account" in page.text) == (409, True)
    assert box.take() == []


def test_account_is_deleted(home: House) -> None:
    """Its keys stop at the next request, its sessions are over, it is in no list, and its address signs up anew."""
    account = person(email="ada@example.com")
    visitor, elsewhere = logged_in(home, account), logged_in(home, account)
    key, reader = home.key(account), home.key(person(name="Eve"))
    assert home.call("GET", "/v1/users/me", key.secret).status == 200
    page = visitor.submit(f"{ACCOUNT}/delete", on=ACCOUNT, password=PASSWORD)
    assert page.location == "/login?done=deleted"
    assert "__Host-latchkey" not in visitor.cookies
    assert visitor.follow(page).notice == "Your account is deleted."
    assert refusal(home.call("GET", "/v1/users/me", key.secret)) == (401, "invalid_api_key")
    assert sessions.session_of(elsewhere.session) is None
    users = home.call("GET", "/v1/users", reader.secret).json()["data"]
    assert account.id not in [user["id"] for user in users]
    assert home.call("GET", f"/v1/users/{account.id}", reader.secret).status == 404
    assert Visitor(home).log_in("ada@example.com").status == 401
    Visitor(home).submit("/signup", email="ada@example.com", name="Ada", password=PASSWORD)
    assert Visitor(home).log_in("ada@example.com").status == 303


def test_verification_is_sent_again(home: House, box: Letterbox) -> None:
    """Who lost the letter asks for another one; who is confirmed is sent none."""
    account = person(verified=False)
    visitor = logged_in(home, account)
    page = visitor.follow(visitor.submit(f"{ACCOUNT}/verification", on=ACCOUNT))
    assert page.notice == "We have sent you another link. It works for one hour."
    assert visitor.submit(box.take_one().target).location == "/settings/account?done=confirmed"
    confirmed = logged_in(home, Account.get(account.id))
    page = confirmed.open(ACCOUNT)
    assert f"{ACCOUNT}/verification" not in page.urls
    csrf = page.value(f"{ACCOUNT}/name", "csrf")
    confirmed.send(f"{ACCOUNT}/verification", {"csrf": csrf})
    assert box.take() == []
