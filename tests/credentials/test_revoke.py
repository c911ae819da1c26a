"""Revocation is immediate, permanent and idempotent."""

import pytest
from pynamodb.exceptions import TransactWriteError

from chalicelib.accounts import invalidation
from chalicelib.accounts.tables import Account
from chalicelib.core import errors
from chalicelib.credentials import find
from chalicelib.credentials.revoke import revoke, revoke_key, revoke_token
from chalicelib.credentials.rotate import rotate
from chalicelib.credentials.tables import Credential
from chalicelib.credentials.verify import verify
from chalicelib.events import kinds
from tests.credentials.events import recorded_events
from tests.oauth.flow import CLIENT, register_client
from tests.support.harness import START_MS, TestApp
from tests.support.interleaving import fail_calls, fail_marks


def test_revoked_key_is_invalid(latchkey: TestApp) -> None:
    """A revoked key is rejected, and its state is `revoked`."""
    account = latchkey.account()
    issued = latchkey.key(account)
    revoke(account.id, issued.key.id)
    with pytest.raises(errors.InvalidApiKey):
        verify(issued.secret)
    assert find.owned_key(account.id, issued.key.id).state == "revoked"


def test_revocation_is_idempotent(latchkey: TestApp) -> None:
    """A second revocation is not an error and doesn't change the time of the first."""
    account = latchkey.account()
    issued = latchkey.key(account)
    revoke(account.id, issued.key.id)
    latchkey.clock.forward(60)
    revoke(account.id, issued.key.id)
    assert find.owned_key(account.id, issued.key.id).revoked_at == START_MS


def test_repeated_revocation_removes_one_active_key(latchkey: TestApp) -> None:
    """A repeated revocation removes only the revoked key from the active keys."""
    account = latchkey.account()
    issued, other = latchkey.key(account), latchkey.key(account)
    revoke(account.id, issued.key.id)
    revoke(account.id, issued.key.id)
    assert list(Account.get(account.id).live_keys.as_dict()) == [other.key.id]


def test_expired_key_can_be_revoked(latchkey: TestApp) -> None:
    """An expired key can be revoked."""
    account = latchkey.account()
    issued = latchkey.key(account, expires_in_s=60)
    latchkey.clock.forward(61)
    revoke(account.id, issued.key.id)
    assert find.owned_key(account.id, issued.key.id).state == "revoked"


def test_other_keys_keep_working(latchkey: TestApp) -> None:
    """The revocation of a key leaves the account's other keys valid."""
    account = latchkey.account()
    issued, other = latchkey.key(account), latchkey.key(account)
    revoke(account.id, issued.key.id)
    assert verify(other.secret)


@pytest.mark.parametrize("key_id", ["", "key_", "key_00000000000000000000", "acc_00000000000000000000", "nonsense"])
def test_unknown_key_is_not_found(latchkey: TestApp, key_id: str) -> None:
    """The revocation of an unknown key raises NotFound."""
    with pytest.raises(errors.NotFound):
        revoke(latchkey.account().id, key_id)


def test_key_of_another_account_is_not_found_and_keeps_working(latchkey: TestApp) -> None:
    """Revoking a key of another account raises NotFound, and that key continues to work."""
    issued = latchkey.key(latchkey.account())
    with pytest.raises(errors.NotFound):
        revoke(latchkey.account().id, issued.key.id)
    assert verify(issued.secret)


def test_revoked_key_is_deleted_after_thirty_days(latchkey: TestApp) -> None:
    """A revoked key is deleted after thirty days, independently of its expiry."""
    account = latchkey.account()
    for issued in (
        latchkey.key(account),
        latchkey.key(account, expires_in_s=60),
        latchkey.key(account, expires_in_s=10**9),
    ):
        revoke(account.id, issued.key.id)
        assert find.owned_key(account.id, issued.key.id).dies_at == START_MS // 1000 + 30 * 86_400


def test_revocation_is_recorded_once_and_marked(latchkey: TestApp) -> None:
    """A revocation is recorded once, with the key's name, and sets the invalidation mark."""
    account = latchkey.account()
    issued = latchkey.key(account)
    for _ in range(2):
        revoke(account.id, issued.key.id)
    assert recorded_events(account.id, but=1) == [(kinds.KEY_REVOKED, {"key": issued.key.id, "name": "Test key"})]
    assert invalidation.is_marked(account.id, START_MS)


def test_revocation_with_a_lost_mark_raises_unavailable(latchkey: TestApp) -> None:
    """If the invalidation mark can't be set, the key is revoked and Unavailable is raised."""
    account = latchkey.account()
    issued = latchkey.key(account)
    with fail_marks(), pytest.raises(errors.Unavailable, match="revoked, but may be accepted"):
        revoke(account.id, issued.key.id)
    assert find.owned_key(account.id, issued.key.id).state == "revoked"


def test_concurrent_revocations_report_one_success(latchkey: TestApp) -> None:
    """Of two concurrent revocations one succeeds; revoking a deleted key raises NotFound."""
    account = latchkey.account()
    issued, rotated, deleted = latchkey.key(account), latchkey.key(account), latchkey.key(account)
    assert [revoke_key(issued.key) for _ in range(2)] == [True, False]
    rotate(verify(rotated.secret), rotated.key.id, 60)
    assert [revoke_key(rotated.key) for _ in range(2)] == [True, False]
    deleted.key.delete()
    with pytest.raises(errors.NotFound):
        revoke_key(deleted.key)


def test_other_failed_conditions_are_not_reported_as_revoked(latchkey: TestApp) -> None:
    """A failed condition on a deleted account, or a database error, is not reported as a revoked key."""
    account = latchkey.account()
    issued = latchkey.key(account)
    with fail_calls("TransactWriteItems"), pytest.raises(TransactWriteError):
        revoke_key(issued.key)
    account.account.delete()
    with pytest.raises(TransactWriteError):
        revoke_key(issued.key)
    assert Account.found(account.id) is None


def test_access_token_is_revoked_once(latchkey: TestApp) -> None:
    """An access token is revoked once, and its event names the client."""
    account = latchkey.account()
    client = register_client(latchkey, owner=account)
    secret = client.ask(CLIENT).json()["access_token"]
    (token,) = [key for key in Credential.by_account.query(account.id) if key.kind == "token"]
    latchkey.clock.forward(1)
    assert [revoke_token(token) for _ in range(2)] == [True, False]
    with pytest.raises(errors.InvalidApiKey):
        verify(secret)
    assert Credential.get(token.digest).revoked_at == START_MS + 1000
    assert recorded_events(account.id)[1:] == [(kinds.TOKEN_REVOKED, {"token": token.id, "application": client.id})]
    token.delete()
    assert not revoke_token(token)
    assert Credential.found(token.digest) is None
