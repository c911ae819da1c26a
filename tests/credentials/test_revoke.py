"""Revocation: at once, for good, and harmless to repeat."""

import pytest

from chalicelib.accounts.tables import Account
from chalicelib.core import errors
from chalicelib.credentials import find
from chalicelib.credentials.revoke import revoke
from chalicelib.credentials.verify import verify
from tests.house import NOON_MS, House


def test_revoked_key_stops(home: House) -> None:
    """Nobody gets in with it any more, and it is shown as revoked."""
    account = home.account()
    issued = home.key(account)
    revoke(account.id, issued.key.id)
    with pytest.raises(errors.InvalidApiKey):
        verify(issued.secret)
    assert find.owned_key(account.id, issued.key.id).state == "revoked"


def test_revocation_may_be_repeated(home: House) -> None:
    """Doing it again is no error and changes nothing, not even when it happened."""
    account = home.account()
    issued = home.key(account)
    revoke(account.id, issued.key.id)
    home.clock.forward(60)
    revoke(account.id, issued.key.id)
    assert find.owned_key(account.id, issued.key.id).revoked_at == NOON_MS


def test_repeated_revocation_frees_one_place_only(home: House) -> None:
    """The count of live keys goes down once."""
    account = home.account()
    issued, other = home.key(account), home.key(account)
    revoke(account.id, issued.key.id)
    revoke(account.id, issued.key.id)
    assert list(Account.get(account.id).live_keys.as_dict()) == [other.key.id]


def test_expired_key_can_be_revoked(home: House) -> None:
    """A person who tidies up meets no error."""
    account = home.account()
    issued = home.key(account, expires_in_s=60)
    home.clock.forward(61)
    revoke(account.id, issued.key.id)
    assert find.owned_key(account.id, issued.key.id).state == "revoked"


def test_other_keys_work_on(home: House) -> None:
    """One key is revoked, not the account."""
    account = home.account()
    issued, other = home.key(account), home.key(account)
    revoke(account.id, issued.key.id)
    assert verify(other.secret)


@pytest.mark.parametrize("key_id", ["", "key_", "key_00000000000000000000", "acc_00000000000000000000", "nonsense"])
def test_unknown_key_is_not_found(home: House, key_id: str) -> None:
    """What isn't there can't be revoked."""
    with pytest.raises(errors.NotFound):
        revoke(home.account().id, key_id)


def test_someone_elses_key_is_not_found_and_works_on(home: House) -> None:
    """Another account's key looks like one that never was."""
    issued = home.key(home.account())
    with pytest.raises(errors.NotFound):
        revoke(home.account().id, issued.key.id)
    assert verify(issued.secret)


def test_revoked_key_is_deleted_thirty_days_later(home: House) -> None:
    """It is listed until then; afterwards nobody needs to know that there was one, whatever its own expiry."""
    account = home.account()
    for issued in (home.key(account), home.key(account, expires_in_s=60), home.key(account, expires_in_s=10**9)):
        revoke(account.id, issued.key.id)
        assert find.owned_key(account.id, issued.key.id).dies_at == NOON_MS // 1000 + 30 * 86_400
