"""Finding accounts."""

import pytest

from chalicelib.accounts import find
from chalicelib.accounts.tables import Account
from chalicelib.core import errors
from tests.house import House


def test_account_is_found_by_id_and_by_email(home: House) -> None:
    """However its email is spelled."""
    account = home.account(email="ada@example.com")
    assert find.account_by_id(account.id).email == "ada@example.com"
    assert find.account_by_email(" ADA@example.com ").id == account.id


@pytest.mark.parametrize("account_id", ["", "acc_", "acc_00000000000000000000", "key_00000000000000000000", "\x00"])
def test_unknown_id_is_not_found(home: House, account_id: str) -> None:
    """An id that isn't there and text that is no id look alike."""
    with pytest.raises(errors.NotFound):
        find.account_by_id(account_id)


def test_unknown_email_is_not_found(home: House) -> None:
    """Nobody has claimed it."""
    with pytest.raises(errors.NotFound):
        find.account_by_email("nobody@example.com")


def test_account_that_left_the_directory_is_not_found(home: House) -> None:
    """A deleted account has no profile, by id or in the list."""
    account = home.account()
    account.update(actions=[Account.listed.remove()])
    with pytest.raises(errors.NotFound):
        find.account_by_id(account.id)
    assert list(find.accounts_after("", 10)) == []


def test_accounts_are_listed_from_beyond_an_id(home: House) -> None:
    """Oldest first, no more than asked for."""
    made = []
    for _ in range(4):
        made.append(home.account().id)
        home.clock.forward(1)
    assert [account.id for account in find.accounts_after("", 3)] == made[:3]
    assert [account.id for account in find.accounts_after(made[1], 10)] == made[2:]
    assert list(find.accounts_after(made[3], 10)) == []
