"""Accounts are found by id and email, and listed."""

import pytest

from chalicelib.accounts import find
from chalicelib.accounts.tables import Account
from chalicelib.core import errors, telemetry
from tests.support.harness import TestApp


def test_account_is_found_by_id_and_by_email(latchkey: TestApp) -> None:
    """An account is found by its id and by any spelling of its address."""
    account = latchkey.account(email="ada@example.com")
    assert find.account_by_id(account.id).email == "ada@example.com"
    assert find.account_by_email(" ADA@example.com ").id == account.id


@pytest.mark.parametrize("account_id", ["", "acc_", "acc_00000000000000000000", "key_00000000000000000000", "\x00"])
def test_unknown_id_is_not_found(latchkey: TestApp, account_id: str) -> None:
    """No account is found for an unknown id or a malformed one."""
    with pytest.raises(errors.NotFound):
        find.account_by_id(account_id)


def test_unknown_email_is_not_found(latchkey: TestApp) -> None:
    """No account is found for an address that no account has."""
    with pytest.raises(errors.NotFound):
        find.account_by_email("nobody@example.com")


def test_deleted_account_is_not_found(latchkey: TestApp) -> None:
    """A deleted account is found neither by its id nor in the list."""
    account = latchkey.account()
    account.update(actions=[Account.listed.remove()])
    with pytest.raises(errors.NotFound):
        find.account_by_id(account.id)
    assert list(find.accounts_after("", 10)) == []


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


def test_accounts_are_listed_by_the_beginning_of_their_address(latchkey: TestApp) -> None:
    """Accounts whose address begins with a prefix, in any spelling, are listed by address, page by page."""
    for name in ("ada", "adam", "adele", "bob"):
        latchkey.account(email=f"{name}@example.com", name=name)

    def named(prefix: str, limit: int = 10, **beyond: str) -> list[str]:
        return [account.name for account in find.accounts_by_email(prefix, limit, **beyond)]

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
        assert list(find.accounts_by_email(prefix, 10, after=after)) == []
    assert calls.made == []


def test_all_accounts_are_listed_without_a_limit(latchkey: TestApp) -> None:
    """A list without a limit, which the operator's commands use, contains all accounts."""
    for _ in range(3):
        latchkey.account()
    assert len(list(find.accounts_after("", None))) == 3
