"""API keys are issued with no more scopes than their creator has, and at most 20 are active."""

from dataclasses import replace

import pytest

from chalicelib.accounts.tables import Account, User
from chalicelib.core import errors, secrets, settings
from chalicelib.credentials import find, revoke
from chalicelib.credentials.issue import Issued, issue_key
from chalicelib.credentials.key_limit import LIVE_MAX
from chalicelib.credentials.rotate import rotate
from chalicelib.credentials.tables import Credential
from chalicelib.credentials.verify import verify
from chalicelib.events import kinds
from tests.credentials.events import recorded_events
from tests.support.harness import START_MS, TestApp
from tests.support.interleaving import record_calls


def issue(latchkey: TestApp, creator: Issued, *scopes: str, expires_in_s: int | None = None) -> Issued:
    """Create a key with the key `creator`."""
    issued = issue_key(verify(creator.secret), name="Made", wanted=list(scopes) or ["read"], expires_in_s=expires_in_s)
    latchkey.secrets.append(issued.secret)
    return issued


def test_issued_key_works_and_is_stored_by_its_digest_only(latchkey: TestApp) -> None:
    """The response contains the secret. The table contains only the secret's SHA-256 and preview."""
    issued = issue(latchkey, latchkey.key(latchkey.account()), "read", "write")
    assert verify(issued.secret).scopes == {"read", "write"}
    stored = Credential.get(secrets.digest(issued.secret))
    assert (stored.hint, stored.scopes) == (secrets.preview(issued.secret), {"read", "write"})


def test_issued_key_is_stored_with_all_attributes_and_recorded(latchkey: TestApp) -> None:
    """An issued key is stored with account, creator and expiry, listed among the active keys, and recorded."""
    account = latchkey.account()
    creator = latchkey.key(account, expires_in_s=3600)
    latchkey.clock.forward(1)
    key = issue(latchkey, creator, "write", "read", expires_in_s=60).key
    stored = find.owned_key(account.id, key.id)
    assert (stored.account_id, stored.kind, stored.name, stored.made_by) == (account.id, "key", "Made", creator.key.id)
    assert (stored.scopes, stored.created_at, stored.expires_at) == (
        {"read", "write"},
        START_MS + 1000,
        START_MS + 61_000,
    )
    assert stored.dies_at == (START_MS + 61_000) // 1000 + 30 * 86_400
    assert Account.get(account.id).live_keys.as_dict() == {
        creator.key.id: START_MS + 3_600_000,
        key.id: START_MS + 61_000,
    }
    assert recorded_events(account.id, but=1) == [
        (kinds.KEY_CREATED, {"key": key.id, "name": "Made", "scopes": "read write"})
    ]


def test_key_without_an_expiry_has_no_ttl(latchkey: TestApp) -> None:
    """A key without an expiry is never deleted by DynamoDB."""
    account = latchkey.account()
    key = issue(latchkey, latchkey.key(account)).key
    assert find.owned_key(account.id, key.id).attribute_values.keys().isdisjoint({"expires_at", "dies_at"})
    assert set(Account.get(account.id).live_keys.as_dict().values()) == {0}


def test_issuing_a_key_overwrites_nothing(latchkey: TestApp) -> None:
    """Issuing a key writes only items that don't exist yet, including the form token."""
    creator = verify(latchkey.key(latchkey.account()).secret)
    with record_calls() as calls:
        issue_key(creator, name="Made", wanted=["read"], expires_in_s=None, form="form 1")
    puts = [write["Put"] for _, request in calls for write in request.get("TransactItems", ()) if "Put" in write]
    assert len(puts) == 3
    assert all("attribute_not_exists" in put.get("ConditionExpression", "") for put in puts)


@pytest.mark.parametrize("kind", ["live", "test"])
def test_issued_key_has_the_kind_of_its_stage(latchkey: TestApp, kind: str) -> None:
    """A production stage issues `live` keys, other stages `test` keys."""
    creator = latchkey.key(latchkey.account())
    with settings.override(replace(settings.current(), key_kind=kind)):
        assert secrets.kind_of(issue(latchkey, creator).secret) == kind


def test_repr_of_an_issued_key_is_its_id(latchkey: TestApp) -> None:
    """The repr of an issued key is its id, so that logs and tracebacks don't contain the secret."""
    issued = latchkey.key(latchkey.account())
    assert repr(issued) == f"Issued({issued.key.id})"


def test_scope_that_the_creator_lacks_is_rejected_by_name(latchkey: TestApp) -> None:
    """A scope that the creator lacks is rejected by an error that names it."""
    creator = latchkey.key(latchkey.account(), "read", "keys")
    with pytest.raises(errors.InvalidRequest, match="write"):
        issue(latchkey, creator, "read", "write")


def test_admin_scope_is_rejected_after_the_user_lost_the_flag(latchkey: TestApp) -> None:
    """A key with the scope `admin` can't pass it on after its user lost the admin flag."""
    account = latchkey.account(admin=True)
    creator = latchkey.key(account, "keys", "admin")
    account.user.update(actions=[User.admin.set(False)])
    with pytest.raises(errors.InvalidRequest, match="admin"):
        issue(latchkey, creator, "admin")


def test_key_of_a_creator_without_an_expiry_expires_only_if_requested(latchkey: TestApp) -> None:
    """Without `expires_in_s`, a key whose creator has no expiry never expires."""
    creator = latchkey.key(latchkey.account())
    assert issue(latchkey, creator).key.expires_at is None
    assert issue(latchkey, creator, expires_in_s=60).key.expires_at == START_MS + 60_000


def test_key_expires_with_its_creator_by_default(latchkey: TestApp) -> None:
    """Without `expires_in_s`, a key expires with its creator."""
    creator = latchkey.key(latchkey.account(), expires_in_s=3600)
    assert issue(latchkey, creator).key.expires_at == START_MS + 3_600_000


def test_key_that_would_outlive_its_creator_is_rejected(latchkey: TestApp) -> None:
    """A key that would outlive its creator is rejected with an error that states the longest possible lifetime."""
    creator = latchkey.key(latchkey.account(), expires_in_s=3600)
    with pytest.raises(errors.InvalidRequest, match="at most 3600:"):
        issue(latchkey, creator, expires_in_s=3601)
    assert issue(latchkey, creator, expires_in_s=3600).key.expires_at == START_MS + 3_600_000


def test_expired_key_is_kept_for_thirty_days(latchkey: TestApp) -> None:
    """An expired key is kept for thirty days, in which requests with it get `token_expired`."""
    key = latchkey.key(latchkey.account(), expires_in_s=60).key
    assert key.dies_at == START_MS // 1000 + 60 + 30 * 86_400


def test_twenty_first_active_key_is_a_conflict(latchkey: TestApp) -> None:
    """The twenty-first active key of an account is rejected, and the message says what to do."""
    account = latchkey.account()
    keys = [latchkey.key(account) for _ in range(LIVE_MAX)]
    with pytest.raises(errors.Conflict, match="at most 20 active keys"):
        issue(latchkey, keys[0])
    assert len(list(find.keys_of(account.id))) == LIVE_MAX
    latchkey.key(latchkey.account())


def test_revoked_key_doesnt_count_against_the_limit(latchkey: TestApp) -> None:
    """After a revocation exactly one more key can be created."""
    account = latchkey.account()
    keys = [latchkey.key(account) for _ in range(LIVE_MAX)]
    revoke.revoke(account.id, keys[7].key.id)
    issue(latchkey, keys[0])
    with pytest.raises(errors.Conflict):
        issue(latchkey, keys[0])


def test_expired_keys_dont_count_against_the_limit(latchkey: TestApp) -> None:
    """Expired keys don't count against the limit, and the next creation removes them from the active keys."""
    account = latchkey.account()
    creator = latchkey.key(account)
    for _ in range(LIVE_MAX - 1):
        latchkey.key(account, expires_in_s=60)
    latchkey.clock.forward(60)
    for _ in range(LIVE_MAX - 1):
        issue(latchkey, creator)
    with pytest.raises(errors.Conflict):
        issue(latchkey, creator)


def test_key_for_a_suspended_account_is_rejected(latchkey: TestApp) -> None:
    """A suspended account gets no key, even if the creator was verified before the suspension."""
    account = latchkey.account()
    creator = verify(latchkey.key(account).secret)
    account.account.update(actions=[Account.status.set("suspended")])
    with pytest.raises(errors.NotFound):
        issue_key(creator, name="Late", wanted=["read"], expires_in_s=None)
    account.account.delete()
    with pytest.raises(errors.NotFound):
        issue_key(creator, name="Late", wanted=["read"], expires_in_s=None)


def test_key_by_a_creator_that_was_rotated_since_its_verification_is_rejected(latchkey: TestApp) -> None:
    """A creator that was rotated after its verification can't issue a key, because the new key would outlive its
    creator.
    """
    account = latchkey.account()
    creator = latchkey.key(account)
    unaware = verify(creator.secret)
    rotate(unaware, creator.key.id, 600)
    with pytest.raises(errors.Conflict):
        issue_key(unaware, name="Made", wanted=["read"], expires_in_s=None)
    assert issue(latchkey, creator).key.expires_at == START_MS + 600_000


def test_key_by_a_session_that_was_ended_since_its_verification_is_rejected(latchkey: TestApp) -> None:
    """A session that ended after its verification can't issue a key."""
    account = latchkey.account()
    session = replace(verify(latchkey.key(account).secret), kind="session", session_epoch=account.user.session_epoch)
    account.user.update(actions=[User.session_epoch.add(1)])
    with pytest.raises(errors.Conflict):
        issue_key(session, name="Made", wanted=["read"], expires_in_s=None)
