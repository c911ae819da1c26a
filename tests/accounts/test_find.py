"""Accounts are found by id and users by id and email, and both are listed."""

import pytest

from chalicelib.accounts import find
from chalicelib.accounts.tables import Account, User
from chalicelib.core import errors, telemetry
from tests.support.harness import TestApp


def test_account_is_found_by_id_and_user_by_id_and_email(latchkey: TestApp) -> None:
    """An account is found by its id, and a user by their id and by any spelling of their address."""
    account = latchkey.account(email="ada@example.com")
    assert find.account_by_id(account.id).name == "Ada"
    assert find.user_by_id(account.user_id).email == "ada@example.com"
    assert find.user_by_email(" ADA@example.com ").id == account.user_id


@pytest.mark.parametrize("account_id", ["", "acc_", "acc_00000000000000000000", "key_00000000000000000000", "\x00"])
def test_unknown_id_is_not_found(latchkey: TestApp, account_id: str) -> None:
    """No account or user is found for an unknown id, a malformed one or one of the other kind."""
    account = latchkey.account()
    for unknown in (account_id, account.user_id):
        with pytest.raises(errors.NotFound, match="no such account"):
            find.account_by_id(unknown)
    for unknown in (account_id.replace("acc_", "usr_"), account.id):
        with pytest.raises(errors.NotFound, match="no such user"):
            find.user_by_id(unknown)


def test_unknown_email_is_not_found(latchkey: TestApp) -> None:
    """No user is found for an address that no user has."""
    with pytest.raises(errors.NotFound):
        find.user_by_email("nobody@example.com")


def test_deleted_account_and_user_are_not_found(latchkey: TestApp) -> None:
    """A deleted account or user is found neither by id nor in a list."""
    account = latchkey.account()
    account.account.update(actions=[Account.listed.remove()])
    with pytest.raises(errors.NotFound):
        find.account_by_id(account.id)
    assert list(find.accounts_after("", 10)) == []
    account.user.update(actions=[User.listed.remove()])
    with pytest.raises(errors.NotFound):
        find.user_by_id(account.user_id)
    assert [*find.users_after("", 10), *find.users_by_email("ada", 10)] == []


def test_accounts_after_an_id_are_listed(latchkey: TestApp) -> None:
    """The accounts whose ids follow a given id are listed oldest first, up to the limit."""
    made = []
    for _ in range(4):
        made.append(latchkey.account().id)
        latchkey.clock.forward(1)
    assert [account.id for account in find.accounts_after("", 3)] == made[:3]
    assert [account.id for account in find.accounts_after(made[1], 10)] == made[2:]
    assert list(find.accounts_after(made[3], 10)) == []


def test_accounts_before_an_id_are_listed(latchkey: TestApp) -> None:
    """The accounts whose ids precede a given id are listed newest first, up to the limit."""
    made = []
    for _ in range(4):
        made.append(latchkey.account().id)
        latchkey.clock.forward(1)
    assert [account.id for account in find.newest_accounts(3)] == made[:0:-1]
    assert [account.id for account in find.newest_accounts(10, before=made[2])] == made[1::-1]
    assert list(find.newest_accounts(10, before=made[0])) == []


def test_users_are_listed_by_the_beginning_of_their_address(latchkey: TestApp) -> None:
    """Users whose address begins with a prefix, in any spelling, are listed by address, page by page."""
    for name in ("ada", "adam", "adele", "bob"):
        latchkey.account(email=f"{name}@example.com", name=name)

    def named(prefix: str, limit: int = 10, **beyond: str) -> list[str]:
        return [user.name for user in find.users_by_email(prefix, limit, **beyond)]

    assert named("AD") == ["ada", "adam", "adele"]
    assert named("ad", 2) == ["ada", "adam"]
    assert named("ad", after="ada@example.com") == ["adam", "adele"]
    assert named("adam@Example.com") == ["adam"]
    assert named("ad", after="b@example.com") == named("c") == []


@pytest.mark.parametrize(
    ("prefix", "after"),
    [("", ""), ("a", "b"), ("a" * 1_024, ""), ("a", "a" * 1_024), ("a", "z" * 1_024), ("\ud800", "")],
)
def test_impossible_range_of_addresses_is_not_queried(latchkey: TestApp, prefix: str, after: str) -> None:
    """For an invalid range of addresses an empty page is returned. No query is sent, because DynamoDB would
    reject it.
    """
    with telemetry.record_calls() as calls:
        assert list(find.users_by_email(prefix, 10, after=after)) == []
    assert calls.made == []


def test_found_users_have_the_attributes_of_the_index(latchkey: TestApp) -> None:
    """A user who is found by the beginning of the address has the accounts, but no password hash or epoch."""
    account = latchkey.account(email="ada@example.com")
    (user,) = find.users_by_email("ada", 10)
    assert (user.id, user.email, user.name, user.status) == (account.user_id, "ada@example.com", "Ada", "active")
    assert [user.created_at, user.account_ids, user.password_hash] == [latchkey.clock.now_ms, {account.id}, None]


def test_all_accounts_and_users_are_listed_without_a_limit(latchkey: TestApp) -> None:
    """A list without a limit, which the operator's commands use, contains all accounts or users, oldest first."""
    made = []
    for _ in range(3):
        made.append(latchkey.account())
        latchkey.clock.forward(1)
    assert [account.id for account in find.accounts_after("", None)] == [each.id for each in made]
    assert [user.id for user in find.users_after("", None)] == [each.user_id for each in made]
    assert [user.id for user in find.users_after(made[0].user_id, 1)] == [made[1].user_id]
