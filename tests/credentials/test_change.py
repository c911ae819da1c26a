"""Renaming and narrowing: a key never grows."""

import pytest

from chalicelib.core import errors
from chalicelib.credentials import revoke
from chalicelib.credentials.change import change_key
from chalicelib.credentials.verify import verify
from tests.house import House


def test_key_is_narrowed(home: House) -> None:
    """From now on it may do less."""
    account = home.account()
    issued = home.key(account)
    change_key(account.id, issued.key.id, name=None, wanted=["read"])
    assert verify(issued.secret).scopes == {"read"}


@pytest.mark.parametrize("wanted", [["read", "write"], ["write"], ["read", "admin"]])
def test_key_is_never_widened(home: House, wanted: list[str]) -> None:
    """A scope that it doesn't have, or doesn't have any more, is refused by name, and nothing changes."""
    account = home.account()
    issued = home.key(account)
    change_key(account.id, issued.key.id, name=None, wanted=["read"])
    with pytest.raises(errors.InvalidRequest, match=wanted[-1]):
        change_key(account.id, issued.key.id, name="Wide", wanted=wanted)
    key = change_key(account.id, issued.key.id, name="Same", wanted=None)
    assert (key.name, key.scopes) == ("Same", {"read"})


def test_renamed_key_works_on(home: House) -> None:
    """A name is only a name."""
    account = home.account()
    issued = home.key(account)
    assert change_key(account.id, issued.key.id, name="Other", wanted=None).name == "Other"
    assert verify(issued.secret).scopes == issued.key.scopes


def test_revoked_key_is_not_changed(home: House) -> None:
    """What is over stays as it was."""
    account = home.account()
    issued = home.key(account)
    revoke.revoke(account.id, issued.key.id)
    with pytest.raises(errors.Conflict):
        change_key(account.id, issued.key.id, name="Other", wanted=None)


def test_someone_elses_key_is_not_found(home: House) -> None:
    """Another account's key looks like one that never was."""
    issued = home.key(home.account())
    with pytest.raises(errors.NotFound):
        change_key(home.account().id, issued.key.id, name="Mine", wanted=None)
