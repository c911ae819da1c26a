"""Revocation: at once, for good, and harmless to repeat."""

import pytest
from pynamodb.exceptions import TransactWriteError

from chalicelib.accounts.tables import Account
from chalicelib.core import errors
from chalicelib.credentials import find
from chalicelib.credentials.revoke import end, end_token, revoke
from chalicelib.credentials.rotate import rotate
from chalicelib.credentials.tables import Credential
from chalicelib.credentials.verify import verify
from chalicelib.events import kinds
from chalicelib.limits import stale_marks
from tests.credentials.events import told
from tests.oauth.flow import CLIENT, registered
from tests.support.harness import START_MS, TestApp
from tests.support.interleaving import fail_calls, fail_marks


def test_revoked_key_stops(latchkey: TestApp) -> None:
    """Nobody gets in with it any more, and it is shown as revoked."""
    account = latchkey.account()
    issued = latchkey.key(account)
    revoke(account.id, issued.key.id)
    with pytest.raises(errors.InvalidApiKey):
        verify(issued.secret)
    assert find.owned_key(account.id, issued.key.id).state == "revoked"


def test_revocation_may_be_repeated(latchkey: TestApp) -> None:
    """Doing it again is no error and changes nothing, not even when it happened."""
    account = latchkey.account()
    issued = latchkey.key(account)
    revoke(account.id, issued.key.id)
    latchkey.clock.forward(60)
    revoke(account.id, issued.key.id)
    assert find.owned_key(account.id, issued.key.id).revoked_at == START_MS


def test_repeated_revocation_frees_one_place_only(latchkey: TestApp) -> None:
    """The count of live keys goes down once."""
    account = latchkey.account()
    issued, other = latchkey.key(account), latchkey.key(account)
    revoke(account.id, issued.key.id)
    revoke(account.id, issued.key.id)
    assert list(Account.get(account.id).live_keys.as_dict()) == [other.key.id]


def test_expired_key_can_be_revoked(latchkey: TestApp) -> None:
    """A person who tidies up meets no error."""
    account = latchkey.account()
    issued = latchkey.key(account, expires_in_s=60)
    latchkey.clock.forward(61)
    revoke(account.id, issued.key.id)
    assert find.owned_key(account.id, issued.key.id).state == "revoked"


def test_other_keys_work_on(latchkey: TestApp) -> None:
    """One key is revoked, not the account."""
    account = latchkey.account()
    issued, other = latchkey.key(account), latchkey.key(account)
    revoke(account.id, issued.key.id)
    assert verify(other.secret)


@pytest.mark.parametrize("key_id", ["", "key_", "key_00000000000000000000", "acc_00000000000000000000", "nonsense"])
def test_unknown_key_is_not_found(latchkey: TestApp, key_id: str) -> None:
    """What isn't there can't be revoked."""
    with pytest.raises(errors.NotFound):
        revoke(latchkey.account().id, key_id)


def test_someone_elses_key_is_not_found_and_works_on(latchkey: TestApp) -> None:
    """Another account's key looks like one that never was."""
    issued = latchkey.key(latchkey.account())
    with pytest.raises(errors.NotFound):
        revoke(latchkey.account().id, issued.key.id)
    assert verify(issued.secret)


def test_revoked_key_is_deleted_thirty_days_later(latchkey: TestApp) -> None:
    """It is listed until then; afterwards nobody needs to know that there was one, whatever its own expiry."""
    account = latchkey.account()
    for issued in (
        latchkey.key(account),
        latchkey.key(account, expires_in_s=60),
        latchkey.key(account, expires_in_s=10**9),
    ):
        revoke(account.id, issued.key.id)
        assert find.owned_key(account.id, issued.key.id).dies_at == START_MS // 1000 + 30 * 86_400


def test_revocation_is_told_and_felt_at_the_next_request(latchkey: TestApp) -> None:
    """Once, with the key's name, which nobody can look up for long."""
    account = latchkey.account()
    issued = latchkey.key(account)
    for _ in range(2):
        revoke(account.id, issued.key.id)
    assert told(account.id, but=1) == [(kinds.KEY_REVOKED, {"key": issued.key.id, "name": "Test key"})]
    assert stale_marks.is_marked(account.id, START_MS)


def test_revocation_that_not_every_function_heard_of_is_to_be_repeated(latchkey: TestApp) -> None:
    """The key is revoked all the same."""
    account = latchkey.account()
    issued = latchkey.key(account)
    with fail_marks(), pytest.raises(errors.Unavailable, match="revoked, but may be accepted"):
        revoke(account.id, issued.key.id)
    assert find.owned_key(account.id, issued.key.id).state == "revoked"


def test_of_several_that_end_a_key_one_did(latchkey: TestApp) -> None:
    """Whatever became of it since they read it; one that is gone is not found."""
    account = latchkey.account()
    issued, rotated, gone = latchkey.key(account), latchkey.key(account), latchkey.key(account)
    assert [end(issued.key) for _ in range(2)] == [True, False]
    rotate(verify(rotated.secret), rotated.key.id, 60)
    assert [end(rotated.key) for _ in range(2)] == [True, False]
    gone.key.delete()
    with pytest.raises(errors.NotFound):
        end(gone.key)


def test_key_of_a_vanished_account_is_not_said_to_have_ended(latchkey: TestApp) -> None:
    """What refused it is no word about the key; nor is a fault of the database."""
    account = latchkey.account()
    issued = latchkey.key(account)
    with fail_calls("TransactWriteItems"), pytest.raises(TransactWriteError):
        end(issued.key)
    account.delete()
    with pytest.raises(TransactWriteError):
        end(issued.key)
    assert Account.found(account.id) is None


def test_token_is_ended_once_by_itself(latchkey: TestApp) -> None:
    """It is told of with its application; one that never was doesn't come to be."""
    account = latchkey.account()
    client = registered(latchkey, owner=account)
    secret = client.ask(CLIENT).json()["access_token"]
    (token,) = [key for key in Credential.by_account.query(account.id) if key.kind == "token"]
    latchkey.clock.forward(1)
    assert [end_token(token) for _ in range(2)] == [True, False]
    with pytest.raises(errors.InvalidApiKey):
        verify(secret)
    assert Credential.get(token.digest).revoked_at == START_MS + 1000
    assert told(account.id)[1:] == [(kinds.TOKEN_REVOKED, {"token": token.id, "application": client.id})]
    token.delete()
    assert not end_token(token)
    assert Credential.found(token.digest) is None
