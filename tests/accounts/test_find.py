"""Finding accounts."""

import pytest

from chalicelib.accounts import find
from chalicelib.accounts.tables import Account
from chalicelib.core import errors, telemetry
from tests.support.harness import TestApp


def test_account_is_found_by_id_and_by_email(latchkey: TestApp) -> None:
    """However its email is spelled."""
    account = latchkey.account(email="ada@example.com")
    assert find.account_by_id(account.id).email == "ada@example.com"
    assert find.account_by_email(" ADA@example.com ").id == account.id


@pytest.mark.parametrize("account_id", ["", "acc_", "acc_00000000000000000000", "key_00000000000000000000", "\x00"])
def test_unknown_id_is_not_found(latchkey: TestApp, account_id: str) -> None:
    """An id that isn't there and text that is no id look alike."""
    with pytest.raises(errors.NotFound):
        find.account_by_id(account_id)


def test_unknown_email_is_not_found(latchkey: TestApp) -> None:
    """Nobody has claimed it."""
    with pytest.raises(errors.NotFound):
        find.account_by_email("nobody@example.com")


def test_account_that_left_the_directory_is_not_found(latchkey: TestApp) -> None:
    """A deleted account has no profile, by id or in the list."""
    account = latchkey.account()
    account.update(actions=[Account.listed.remove()])
    with pytest.raises(errors.NotFound):
        find.account_by_id(account.id)
    assert list(find.accounts_after("", 10)) == []


def test_accounts_are_listed_from_beyond_an_id(latchkey: TestApp) -> None:
    """Oldest first, no more than asked for."""
    made = []
    for _ in range(4):
        made.append(latchkey.account().id)
        latchkey.clock.forward(1)
    assert [account.id for account in find.accounts_after("", 3)] == made[:3]
    assert [account.id for account in find.accounts_after(made[1], 10)] == made[2:]
    assert list(find.accounts_after(made[3], 10)) == []


def test_newest_accounts_are_listed_from_before_an_id(latchkey: TestApp) -> None:
    """Youngest first, no more than asked for."""
    made = []
    for _ in range(4):
        made.append(latchkey.account().id)
        latchkey.clock.forward(1)
    assert [account.id for account in find.newest_accounts(3)] == made[:0:-1]
    assert [account.id for account in find.newest_accounts(10, before=made[2])] == made[1::-1]
    assert list(find.newest_accounts(10, before=made[0])) == []


def test_accounts_are_listed_by_what_their_address_begins_with(latchkey: TestApp) -> None:
    """By address, however the beginning is spelled, beyond the last one that was shown and no more than asked for."""
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
def test_range_in_which_no_address_can_be_is_not_asked_for(latchkey: TestApp, prefix: str, after: str) -> None:
    """DynamoDB would answer with an error: one that ends before it begins, or is longer than a key."""
    with telemetry.calls_watched() as calls:
        assert list(find.accounts_by_email(prefix, 10, after=after)) == []
    assert calls.made == []


def test_all_accounts_are_listed_where_no_number_is_asked_for(latchkey: TestApp) -> None:
    """For the operator's commands."""
    for _ in range(3):
        latchkey.account()
    assert len(list(find.accounts_after("", None))) == 3
