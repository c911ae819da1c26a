"""Changing an account."""

import pytest

from chalicelib.accounts import change, find
from chalicelib.accounts.tables import Account
from chalicelib.core import errors, settings, telemetry, wire
from chalicelib.limits.tiers import ENTERPRISE, PRO
from tests.house import House


def test_name_changes_and_nothing_else(home: House) -> None:
    """No credential becomes stale by it: one write with its event, and none to the counters."""
    account = home.account()
    with telemetry.calls_watched() as calls:
        assert change.rename(account.id, "Ada B").name == "Ada B"
    assert calls.made == [("TransactWriteItems", ""), ("GetItem", "latchkey-test-accounts")]


def test_tier_and_status_change_one_by_one_or_together(home: House) -> None:
    """What isn't named stays."""
    account = home.account()
    change.set_standing(account.id, tier=PRO, status=None, actor="test")
    change.set_standing(account.id, tier=None, status="suspended", actor="test")
    assert (found := find.account_by_id(account.id)).tier == "pro"
    assert found.status == "suspended"
    change.set_standing(account.id, tier=ENTERPRISE, status="active", actor="test")
    assert (found := find.account_by_id(account.id)).tier == "enterprise"
    assert found.status == "active"


def test_suspension_ends_console_sessions_for_good(home: House) -> None:
    """A reinstated account logs in again."""
    account = home.account()
    epochs = []
    for status in ("suspended", "active", "suspended"):
        change.set_standing(account.id, tier=None, status=status, actor="test")
        epochs.append(find.account_by_id(account.id).session_epoch)
    assert epochs == [1, 1, 2]


@pytest.mark.parametrize("account_id", ["acc_00000000000000000000", "nobody"])
def test_account_that_is_not_there_is_not_made(home: House, account_id: str) -> None:
    """An update never brings a deleted account back as a stump."""
    with pytest.raises(errors.NotFound):
        change.rename(account_id, "Ghost")
    with pytest.raises(errors.NotFound):
        change.set_standing(account_id, tier=PRO, status=None, actor="test")
    assert Account.count() == 0


def test_change_that_could_not_be_told_is_made_and_says_so(home: House) -> None:
    """Whoever suspends an account hears that it may take minutes, and that repeating helps."""
    account = home.account()
    wire.call("DeleteTable", {"TableName": settings.current().table("windows")})
    with pytest.raises(errors.Unavailable, match="Send it again"):
        change.set_standing(account.id, tier=None, status="suspended", actor="test")
    assert find.account_by_id(account.id).status == "suspended"
