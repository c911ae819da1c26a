"""Settings > Profile: name, email address, password and deletion of the user."""

import pytest

from chalicelib.accounts.tables import User
from tests.support.console_client import PASSWORD, ConsoleClient, log_in_as, new_account
from tests.support.harness import TestApp
from tests.support.mailbox import Mailbox

ACCOUNT, PROFILE = "/settings/account", "/settings/profile"
OTHER = "harmonica wolverine custard"


def test_name_is_changed_and_shown_to_the_api(latchkey: TestApp) -> None:
    """A new name is confirmed on the page and returned by the API; the account keeps its own name."""
    account = new_account()
    console = log_in_as(latchkey, account)
    page = console.follow(console.submit(f"{PROFILE}/name", on=PROFILE, name="  Ada Lovelace "))
    assert page.notice == "Name changed."
    assert page.value(f"{PROFILE}/name", "name") == "Ada Lovelace"
    assert latchkey.call("GET", "/v1/users/me", latchkey.key(account).secret).json()["name"] == "Ada Lovelace"
    assert account.reload().name == "Ada"


def test_password_is_changed_and_every_other_session_ends(latchkey: TestApp, box: Mailbox) -> None:
    """After a password change only this session stays active, the old password fails, and the user gets an email."""
    account = new_account()
    console, elsewhere = log_in_as(latchkey, account), log_in_as(latchkey, account)
    form = {"password": PASSWORD, "new_password": OTHER}
    page = console.follow(console.submit(f"{PROFILE}/password", on=PROFILE, **form))
    assert page.notice == "Password changed. All other sessions have ended."
    assert elsewhere.open(PROFILE).status == 303
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
        ("name", {"name": ""}, "Name must be a text of 1 to 100 characters on one line."),
    ],
)
def test_invalid_form_shows_its_error_and_changes_nothing(
    latchkey: TestApp, box: Mailbox, action: str, fields: dict[str, str], problem: str
) -> None:
    """The page of an invalid form shows the error but no password, and the user stays unchanged."""
    account = new_account()
    page = log_in_as(latchkey, account).submit(f"{PROFILE}/{action}", on=PROFILE, **fields)
    assert (page.status, page.problem) == (400, problem)
    assert 'value="wrong"' not in page.html
    before, after = account.user, account.reload().user
    assert (after.password_hash, after.name, after.email) == (before.password_hash, before.name, before.email)
    assert after.listed
    assert box.take() == []


def test_address_changes_when_its_link_is_used(latchkey: TestApp, box: Mailbox) -> None:
    """A change of address takes effect when the link is used. The old address then gets an email and can't be used to
    log in.
    """
    account = new_account(email="old@example.com")
    console = log_in_as(latchkey, account)
    response = console.submit(f"{PROFILE}/email", on=PROFILE, email="New@example.com", password=PASSWORD)
    assert (
        console.follow(response).notice
        == "If no other user has the new address, we have sent a link to it. It expires in 1 hour."
    )
    message = box.take_one()
    assert message.to == "New@example.com"
    shown = console.open(message.target)
    assert "New@example.com" in shown.text
    assert User.get(account.user_id).email == "old@example.com"
    page = console.follow(console.send("/verify", console.fill(shown, "/verify", {})))
    assert (page.target, page.notice) == (f"{PROFILE}?done=email-changed", "Email address changed.")
    notification = box.take_one()
    assert (notification.to, notification.subject) == ("old@example.com", "Your email address was changed")
    assert "New@example.com" in notification.text
    assert ConsoleClient(latchkey).log_in("old@example.com").status == 401
    assert ConsoleClient(latchkey).log_in("new@example.com").status == 303


def test_address_that_another_user_took_meanwhile_is_a_conflict(latchkey: TestApp, box: Mailbox) -> None:
    """If another user takes the new address before the link is used, the user keeps the old address."""
    account = new_account()
    console = log_in_as(latchkey, account)
    console.submit(f"{PROFILE}/email", on=PROFILE, email="new@example.com", password=PASSWORD)
    target = box.take_one().target
    new_account(email="new@example.com")
    page = console.submit(target)
    assert (page.status, "belongs to another user" in page.text) == (409, True)
    assert box.take() == []


def test_user_without_an_account_is_deleted(latchkey: TestApp) -> None:
    """Users without an account can delete themselves. Their sessions end, and the address can sign up again."""
    account = new_account(email="ada@example.com")
    console, elsewhere = log_in_as(latchkey, account), log_in_as(latchkey, account)
    console.submit(f"{ACCOUNT}/delete", on=ACCOUNT, password=PASSWORD)
    page = console.submit(f"{PROFILE}/delete", on=PROFILE, password="wrong")
    assert (page.status, page.problem) == (400, "Incorrect password.")
    page = console.submit(f"{PROFILE}/delete", on=PROFILE, password=PASSWORD)
    assert page.location == "/login?done=user-deleted"
    assert "__Host-latchkey" not in console.cookies
    assert console.follow(page).notice == "Your user is deleted."
    assert elsewhere.open(PROFILE).location.startswith("/login")
    after = User.get(account.user_id)
    assert (after.email, after.name) == ("deleted", "deleted")
    assert (after.password_hash or after.listed) is None
    assert ConsoleClient(latchkey).log_in("ada@example.com").status == 401
    ConsoleClient(latchkey).submit("/signup", email="ada@example.com", name="Ada", password=PASSWORD)
    assert ConsoleClient(latchkey).log_in("ada@example.com").status == 303


def test_user_of_an_account_is_not_deleted(latchkey: TestApp) -> None:
    """A user who still belongs to an account can't delete themselves, as its last owner or with any other role."""
    for account in (new_account(), latchkey.member(new_account(), "viewer")):
        account.user.update(actions=[User.password_hash.set(new_account().user.password_hash)])
        console = log_in_as(latchkey, account)
        page = console.submit(f"{PROFILE}/delete", on=PROFILE, password=PASSWORD)
        assert page.status == 409
        assert page.problem == "You still belong to an account. Leave it or delete it first."
        assert console.open(PROFILE).status == 200
        assert account.reload().user.listed


def test_verification_is_sent_again_until_the_address_is_verified(latchkey: TestApp, box: Mailbox) -> None:
    """A user can request another verification email until the address is verified."""
    account = new_account(verified=False)
    console = log_in_as(latchkey, account)
    page = console.follow(console.submit(f"{PROFILE}/verification", on=PROFILE))
    assert page.notice == "We have sent you a new link. It expires in 1 hour."
    assert console.submit(box.take_one().target).location == "/settings/profile?done=confirmed"
    confirmed = log_in_as(latchkey, account.reload())
    page = confirmed.open(PROFILE)
    assert f"{PROFILE}/verification" not in page.urls
    confirmed.send(f"{PROFILE}/verification", confirmed.token_fields())
    assert box.take() == []
