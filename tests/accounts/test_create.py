"""A new account and its claim on an email stand together or not at all."""

import pytest

from chalicelib.accounts.create import create_account
from chalicelib.accounts.tables import Account, Email
from chalicelib.core import errors
from chalicelib.limits.tiers import FREE, PRO
from tests.house import NOON_MS, House


def test_new_account_is_active_and_no_admin(home: House) -> None:
    """Nobody is more than asked for."""
    account = Account.get(create_account(email="Ada@Example.com", name="Ada", tier=PRO).id)
    assert (account.email, account.name, account.tier) == ("ada@example.com", "Ada", "pro")
    assert (account.status, account.admin, account.created_at) == ("active", False, NOON_MS)
    assert account.live_keys.as_dict() == {}


def test_second_claim_on_an_email_loses_and_leaves_nothing(home: House) -> None:
    """Of two accounts with one address the first stands; the other isn't there at all."""
    first = create_account(email="ada@example.com", name="Ada", tier=FREE)
    with pytest.raises(errors.Conflict):
        create_account(email="ADA@example.com", name="Eve", tier=FREE)
    assert [account.id for account in Account.scan()] == [first.id]
    assert Email.get("ada@example.com").account_id == first.id


def test_account_without_an_address_is_refused(home: House) -> None:
    """Nothing is stored."""
    with pytest.raises(errors.InvalidRequest):
        create_account(email="nonsense", name="Ada", tier=FREE)
    assert Account.count() == 0
