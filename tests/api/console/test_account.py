"""Settings > Account: name and deletion of the account."""

import pytest

from chalicelib.accounts import members
from chalicelib.accounts.tables import Account, Member, User
from tests.support.console_client import PASSWORD, log_in_as, new_account
from tests.support.harness import TestApp, error_of
from tests.support.job_runs import run_jobs

ACCOUNT = "/settings/account"


def test_name_is_changed_and_shown_to_the_api(latchkey: TestApp) -> None:
    """A new name is confirmed on the page and returned by the API; the user keeps their own name."""
    account = new_account()
    console = log_in_as(latchkey, account)
    page = console.follow(console.submit(f"{ACCOUNT}/name", on=ACCOUNT, name="  Analytical Engines "))
    assert page.notice == "Name changed."
    assert page.value(f"{ACCOUNT}/name", "name") == "Analytical Engines"
    secret = latchkey.key(account).secret
    assert latchkey.call("GET", f"/v1/accounts/{account.id}", secret).json()["name"] == "Analytical Engines"
    assert latchkey.call("GET", "/v1/users/me", secret).json()["name"] == "Ada"


@pytest.mark.parametrize(
    ("action", "fields", "problem"),
    [
        ("delete", {"password": "wrong"}, "Incorrect password."),
        ("name", {"name": ""}, "Name must be a text of 1 to 100 characters on one line."),
    ],
)
def test_invalid_form_shows_its_error_and_changes_nothing(
    latchkey: TestApp, action: str, fields: dict[str, str], problem: str
) -> None:
    """The page of an invalid form shows the error but no password, and the account stays unchanged."""
    account = new_account()
    page = log_in_as(latchkey, account).submit(f"{ACCOUNT}/{action}", on=ACCOUNT, **fields)
    assert (page.status, page.problem) == (400, problem)
    assert 'value="wrong"' not in page.html
    after = account.reload().account
    assert (after.name, after.status, after.listed) == (account.name, "active", account.account.listed)


def test_deleted_account_loses_its_keys_and_members(latchkey: TestApp) -> None:
    """Keys of a deleted account stop working, and its members lose access but keep their users."""
    account = new_account(email="ada@example.com")
    grace = latchkey.member(account, "admin")
    console, elsewhere = log_in_as(latchkey, account), log_in_as(latchkey, grace)
    key, other_key = latchkey.key(account), latchkey.key(grace)
    assert [latchkey.call("GET", "/v1/users/me", each.secret).status for each in (key, other_key)] == [200, 200]
    page = console.submit(f"{ACCOUNT}/delete", on=ACCOUNT, password=PASSWORD)
    assert page.location == "/settings/accounts?done=deleted"
    shown = console.follow(page)
    assert (shown.notice, shown.heading) == ("The account is deleted.", "Your accounts")
    assert "You don't belong to any account." in shown.text
    for each in (key, other_key):
        assert error_of(latchkey.call("GET", "/v1/users/me", each.secret)) == (401, "invalid_api_key")
    stored = Account.get(account.id)
    assert (stored.name, stored.status, stored.listed is None) == ("deleted", "deleted", True)
    assert User.get(account.user_id).listed
    assert members.all_of(User.get(grace.user_id)) != []
    assert account.id not in [each.account.id for each in members.all_of(User.get(grace.user_id))]
    assert elsewhere.open(ACCOUNT).status == 200
    assert account.id not in elsewhere.open(ACCOUNT).text
    run_jobs()
    assert list(Member.query(account.id)) == []


@pytest.mark.parametrize("role", ["admin", "developer", "viewer"])
def test_only_owners_delete_the_account(latchkey: TestApp, role: str) -> None:
    """Members with any role but owner see no form to delete the account, and a form that they send is rejected."""
    account = new_account()
    member = latchkey.member(account, role)
    member.user.update(actions=[User.password_hash.set(account.user.password_hash)])
    console = log_in_as(latchkey, member)
    assert f"{ACCOUNT}/delete" not in console.open(ACCOUNT).urls
    page = console.send(f"{ACCOUNT}/delete", {**console.token_fields(), "password": PASSWORD})
    assert (page.status, "owner" in page.text) == (403, True)
    assert Account.get(account.id).listed
