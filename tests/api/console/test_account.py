"""Settings > Account: name, address, password, leaving."""

import pytest

from chalicelib.accounts import sessions
from chalicelib.accounts.tables import Account
from tests.support.console_client import PASSWORD, ConsoleClient, logged_in, person
from tests.support.harness import TestApp, refusal
from tests.support.mailbox import Mailbox

ACCOUNT = "/settings/account"
OTHER = "harmonica wolverine custard"


def test_settings_lead_to_the_keys(latchkey: TestApp) -> None:
    """The path that the guide names, Settings > API Keys, begins here."""
    assert logged_in(latchkey, person()).open("/settings").location == "/settings/keys"


def test_name_is_changed_and_shown_to_the_api(latchkey: TestApp) -> None:
    """With a confirmation on the page."""
    account = person()
    console = logged_in(latchkey, account)
    page = console.follow(console.submit(f"{ACCOUNT}/name", on=ACCOUNT, name="  Ada Lovelace "))
    assert page.notice == "The name is changed."
    assert page.value(f"{ACCOUNT}/name", "name") == "Ada Lovelace"
    assert latchkey.call("GET", "/v1/users/me", latchkey.key(account).secret).json()["name"] == "Ada Lovelace"


def test_password_is_changed_and_every_other_session_ends(latchkey: TestApp, box: Mailbox) -> None:
    """This browser goes on, the other is out, the old password opens nothing, and the owner is told by mail."""
    account = person()
    console, elsewhere = logged_in(latchkey, account), logged_in(latchkey, account)
    form = {"password": PASSWORD, "new_password": OTHER}
    page = console.follow(console.submit(f"{ACCOUNT}/password", on=ACCOUNT, **form))
    assert page.notice == "Your password is changed. Every other session was ended."
    assert elsewhere.open(ACCOUNT).status == 303
    assert ConsoleClient(latchkey).log_in(account.email).status == 401
    assert ConsoleClient(latchkey).log_in(account.email, OTHER).status == 303
    assert box.take_one().subject == "Your password was changed"


@pytest.mark.parametrize(
    ("action", "fields", "problem"),
    [
        ("password", {"password": "wrong", "new_password": OTHER}, "Incorrect password."),
        ("password", {"password": PASSWORD, "new_password": "short"}, "Choose a password of 12 to 256 characters."),
        ("email", {"password": "wrong", "email": "new@example.com"}, "Incorrect password."),
        ("email", {"password": PASSWORD, "email": "new"}, "Email must be an address like name@example.com."),
        ("delete", {"password": "wrong"}, "Incorrect password."),
        ("name", {"name": ""}, "Name must be a text of 1 to 100 characters on one line."),
    ],
)
def test_what_is_wrong_is_said_and_changes_nothing(
    latchkey: TestApp, box: Mailbox, action: str, fields: dict[str, str], problem: str
) -> None:
    """The page stays, says what was wrong, and doesn't show what was typed as a password."""
    account = person()
    page = logged_in(latchkey, account).submit(f"{ACCOUNT}/{action}", on=ACCOUNT, **fields)
    assert (page.status, page.problem) == (400, problem)
    assert 'value="wrong"' not in page.html
    after = Account.get(account.id)
    assert (after.password_hash, after.name, after.email) == (account.password_hash, account.name, account.email)
    assert box.take() == []


def test_address_is_changed_by_a_link_sent_there(latchkey: TestApp, box: Mailbox) -> None:
    """Nothing changes until the link is used; then the old address is told, and only the new one logs in."""
    account = person(email="old@example.com")
    console = logged_in(latchkey, account)
    asked = console.submit(f"{ACCOUNT}/email", on=ACCOUNT, email="New@example.com", password=PASSWORD)
    assert (
        console.follow(asked).notice
        == "If no other account has the new address, we have sent a link there. It works for one hour."
    )
    letter = box.take_one()
    assert letter.to == "New@example.com"
    shown = console.open(letter.target)
    assert "New@example.com" in shown.text
    assert Account.get(account.id).email == "old@example.com"
    page = console.follow(console.send("/verify", console.filled(shown, "/verify", {})))
    assert (page.target, page.notice) == (f"{ACCOUNT}?done=email-changed", "Your email address is changed.")
    told = box.take_one()
    assert (told.to, told.subject) == ("old@example.com", "Your email address was changed")
    assert "New@example.com" in told.text
    assert ConsoleClient(latchkey).log_in("old@example.com").status == 401
    assert ConsoleClient(latchkey).log_in("new@example.com").status == 303


def test_address_that_was_taken_meanwhile_is_said_to_be(latchkey: TestApp, box: Mailbox) -> None:
    """Who was slower keeps the old address; nobody is told of a change there was not."""
    account = person()
    console = logged_in(latchkey, account)
    console.submit(f"{ACCOUNT}/email", on=ACCOUNT, email="new@example.com", password=PASSWORD)
    target = box.take_one().target
    person(email="new@example.com")
    page = console.submit(target)
    assert (page.status, "belongs to another account" in page.text) == (409, True)
    assert box.take() == []


def test_account_is_deleted(latchkey: TestApp) -> None:
    """Its keys stop at the next request, its sessions are over, it is in no list, and its address signs up anew."""
    account = person(email="ada@example.com")
    console, elsewhere = logged_in(latchkey, account), logged_in(latchkey, account)
    key, reader = latchkey.key(account), latchkey.key(person(name="Eve"))
    assert latchkey.call("GET", "/v1/users/me", key.secret).status == 200
    page = console.submit(f"{ACCOUNT}/delete", on=ACCOUNT, password=PASSWORD)
    assert page.location == "/login?done=deleted"
    assert "__Host-latchkey" not in console.cookies
    assert console.follow(page).notice == "Your account is deleted."
    assert refusal(latchkey.call("GET", "/v1/users/me", key.secret)) == (401, "invalid_api_key")
    assert sessions.session_of(elsewhere.session) is None
    users = latchkey.call("GET", "/v1/users", reader.secret).json()["data"]
    assert account.id not in [user["id"] for user in users]
    assert latchkey.call("GET", f"/v1/users/{account.id}", reader.secret).status == 404
    assert ConsoleClient(latchkey).log_in("ada@example.com").status == 401
    ConsoleClient(latchkey).submit("/signup", email="ada@example.com", name="Ada", password=PASSWORD)
    assert ConsoleClient(latchkey).log_in("ada@example.com").status == 303


def test_verification_is_sent_again(latchkey: TestApp, box: Mailbox) -> None:
    """Who lost the letter asks for another one; who is confirmed is sent none."""
    account = person(verified=False)
    console = logged_in(latchkey, account)
    page = console.follow(console.submit(f"{ACCOUNT}/verification", on=ACCOUNT))
    assert page.notice == "We have sent you another link. It works for one hour."
    assert console.submit(box.take_one().target).location == "/settings/account?done=confirmed"
    confirmed = logged_in(latchkey, Account.get(account.id))
    page = confirmed.open(ACCOUNT)
    assert f"{ACCOUNT}/verification" not in page.urls
    csrf = page.value(f"{ACCOUNT}/name", "csrf")
    confirmed.send(f"{ACCOUNT}/verification", {"csrf": csrf})
    assert box.take() == []
