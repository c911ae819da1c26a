"""Settings > Account: name, email address, password and deletion."""

import pytest

from chalicelib.accounts import sessions
from chalicelib.accounts.tables import Account
from tests.support.console_client import PASSWORD, ConsoleClient, log_in_as, new_account
from tests.support.harness import TestApp, error_of
from tests.support.mailbox import Mailbox

ACCOUNT = "/settings/account"
OTHER = "harmonica wolverine custard"


def test_settings_redirect_to_the_keys(latchkey: TestApp) -> None:
    """The path /settings redirects to API Keys."""
    assert log_in_as(latchkey, new_account()).open("/settings").location == "/settings/keys"


def test_name_is_changed_and_shown_to_the_api(latchkey: TestApp) -> None:
    """A new name is confirmed on the page and returned by the API."""
    account = new_account()
    console = log_in_as(latchkey, account)
    page = console.follow(console.submit(f"{ACCOUNT}/name", on=ACCOUNT, name="  Ada Lovelace "))
    assert page.notice == "Name changed."
    assert page.value(f"{ACCOUNT}/name", "name") == "Ada Lovelace"
    assert latchkey.call("GET", "/v1/users/me", latchkey.key(account).secret).json()["name"] == "Ada Lovelace"


def test_password_is_changed_and_every_other_session_ends(latchkey: TestApp, box: Mailbox) -> None:
    """After a password change only this session stays active, the old password fails, and the user gets an email."""
    account = new_account()
    console, elsewhere = log_in_as(latchkey, account), log_in_as(latchkey, account)
    form = {"password": PASSWORD, "new_password": OTHER}
    page = console.follow(console.submit(f"{ACCOUNT}/password", on=ACCOUNT, **form))
    assert page.notice == "Password changed. All other sessions have ended."
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
def test_invalid_form_shows_its_error_and_changes_nothing(
    latchkey: TestApp, box: Mailbox, action: str, fields: dict[str, str], problem: str
) -> None:
    """The page of an invalid form shows the error but no password, and the account stays unchanged."""
    account = new_account()
    page = log_in_as(latchkey, account).submit(f"{ACCOUNT}/{action}", on=ACCOUNT, **fields)
    assert (page.status, page.problem) == (400, problem)
    assert 'value="wrong"' not in page.html
    after = Account.get(account.id)
    assert (after.password_hash, after.name, after.email) == (account.password_hash, account.name, account.email)
    assert box.take() == []


def test_address_changes_when_its_link_is_used(latchkey: TestApp, box: Mailbox) -> None:
    """A change of address takes effect when the link is used. The old address then gets an email and can't be used to
    log in.
    """
    account = new_account(email="old@example.com")
    console = log_in_as(latchkey, account)
    response = console.submit(f"{ACCOUNT}/email", on=ACCOUNT, email="New@example.com", password=PASSWORD)
    assert (
        console.follow(response).notice
        == "If no other account has the new address, we have sent a link to it. It expires in 1 hour."
    )
    message = box.take_one()
    assert message.to == "New@example.com"
    shown = console.open(message.target)
    assert "New@example.com" in shown.text
    assert Account.get(account.id).email == "old@example.com"
    page = console.follow(console.send("/verify", console.fill(shown, "/verify", {})))
    assert (page.target, page.notice) == (f"{ACCOUNT}?done=email-changed", "Email address changed.")
    notification = box.take_one()
    assert (notification.to, notification.subject) == ("old@example.com", "Your email address was changed")
    assert "New@example.com" in notification.text
    assert ConsoleClient(latchkey).log_in("old@example.com").status == 401
    assert ConsoleClient(latchkey).log_in("new@example.com").status == 303


def test_address_that_another_account_took_meanwhile_is_a_conflict(latchkey: TestApp, box: Mailbox) -> None:
    """If another account takes the new address before the link is used, the account keeps its old address."""
    account = new_account()
    console = log_in_as(latchkey, account)
    console.submit(f"{ACCOUNT}/email", on=ACCOUNT, email="new@example.com", password=PASSWORD)
    target = box.take_one().target
    new_account(email="new@example.com")
    page = console.submit(target)
    assert (page.status, "belongs to another account" in page.text) == (409, True)
    assert box.take() == []


def test_deleted_account_loses_its_keys_and_sessions(latchkey: TestApp) -> None:
    """Keys and sessions of a deleted account stop working, and its address can sign up again."""
    account = new_account(email="ada@example.com")
    console, elsewhere = log_in_as(latchkey, account), log_in_as(latchkey, account)
    key, reader = latchkey.key(account), latchkey.key(new_account(name="Eve"))
    assert latchkey.call("GET", "/v1/users/me", key.secret).status == 200
    page = console.submit(f"{ACCOUNT}/delete", on=ACCOUNT, password=PASSWORD)
    assert page.location == "/login?done=deleted"
    assert "__Host-latchkey" not in console.cookies
    assert console.follow(page).notice == "Your account is deleted."
    assert error_of(latchkey.call("GET", "/v1/users/me", key.secret)) == (401, "invalid_api_key")
    assert sessions.session_of(elsewhere.session) is None
    users = latchkey.call("GET", "/v1/users", reader.secret).json()["data"]
    assert account.id not in [user["id"] for user in users]
    assert latchkey.call("GET", f"/v1/users/{account.id}", reader.secret).status == 404
    assert ConsoleClient(latchkey).log_in("ada@example.com").status == 401
    ConsoleClient(latchkey).submit("/signup", email="ada@example.com", name="Ada", password=PASSWORD)
    assert ConsoleClient(latchkey).log_in("ada@example.com").status == 303


def test_verification_is_sent_again_until_the_address_is_verified(latchkey: TestApp, box: Mailbox) -> None:
    """A user can request another verification email until the address is verified."""
    account = new_account(verified=False)
    console = log_in_as(latchkey, account)
    page = console.follow(console.submit(f"{ACCOUNT}/verification", on=ACCOUNT))
    assert page.notice == "We have sent you a new link. It expires in 1 hour."
    assert console.submit(box.take_one().target).location == "/settings/account?done=confirmed"
    confirmed = log_in_as(latchkey, Account.get(account.id))
    page = confirmed.open(ACCOUNT)
    assert f"{ACCOUNT}/verification" not in page.urls
    csrf = page.value(f"{ACCOUNT}/name", "csrf")
    confirmed.send(f"{ACCOUNT}/verification", {"csrf": csrf})
    assert box.take() == []
