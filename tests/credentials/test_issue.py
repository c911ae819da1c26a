"""Making keys: never more than the creator's, and at most 20 that live."""

from dataclasses import replace

import pytest

from chalicelib.accounts.tables import Account
from chalicelib.core import errors, secrets, settings
from chalicelib.credentials import find, revoke
from chalicelib.credentials.issue import Issued, issue_key
from chalicelib.credentials.key_limit import LIVE_MAX
from chalicelib.credentials.rotate import rotate
from chalicelib.credentials.tables import Credential
from chalicelib.credentials.verify import verify
from chalicelib.events import kinds
from tests.credentials.events import told
from tests.support.harness import NOON_MS, TestApp
from tests.support.interleaving import sent


def issue(latchkey: TestApp, creator: Issued, *scopes: str, expires_in_s: int | None = None) -> Issued:
    """Make a key with another."""
    issued = issue_key(verify(creator.secret), name="Made", wanted=list(scopes) or ["read"], expires_in_s=expires_in_s)
    latchkey.secrets.append(issued.secret)
    return issued


def test_made_key_works_and_is_stored_by_its_digest_alone(latchkey: TestApp) -> None:
    """The secret is in the answer; the table holds its SHA-256 and the hint."""
    issued = issue(latchkey, latchkey.key(latchkey.account()), "read", "write")
    assert verify(issued.secret).scopes == {"read", "write"}
    stored = Credential.get(secrets.digest(issued.secret))
    assert (stored.hint, stored.scopes) == (secrets.hint(issued.secret), {"read", "write"})


def test_made_key_is_stored_whole_and_told(latchkey: TestApp) -> None:
    """Whose it is, who made it and when it ends; the account's list and its events say so too."""
    account = latchkey.account()
    creator = latchkey.key(account, expires_in_s=3600)
    latchkey.clock.forward(1)
    key = issue(latchkey, creator, "write", "read", expires_in_s=60).key
    stored = find.owned_key(account.id, key.id)
    assert (stored.account_id, stored.kind, stored.name, stored.made_by) == (account.id, "key", "Made", creator.key.id)
    assert (stored.scopes, stored.created_at, stored.expires_at) == (
        {"read", "write"},
        NOON_MS + 1000,
        NOON_MS + 61_000,
    )
    assert stored.dies_at == (NOON_MS + 61_000) // 1000 + 30 * 86_400
    assert Account.get(account.id).live_keys.as_dict() == {
        creator.key.id: NOON_MS + 3_600_000,
        key.id: NOON_MS + 61_000,
    }
    assert told(account.id, but=1) == [(kinds.KEY_CREATED, {"key": key.id, "name": "Made", "scopes": "read write"})]


def test_key_without_an_end_is_kept_for_good(latchkey: TestApp) -> None:
    """Neither it nor its place in the account's list ends."""
    account = latchkey.account()
    key = issue(latchkey, latchkey.key(account)).key
    assert find.owned_key(account.id, key.id).attribute_values.keys().isdisjoint({"expires_at", "dies_at"})
    assert set(Account.get(account.id).live_keys.as_dict().values()) == {0}


def test_making_a_key_overwrites_nothing(latchkey: TestApp) -> None:
    """Whatever is put is put where nothing stood, the form's ticket too."""
    creator = verify(latchkey.key(latchkey.account()).secret)
    with sent() as calls:
        issue_key(creator, name="Made", wanted=["read"], expires_in_s=None, form="form 1")
    puts = [write["Put"] for _, request in calls for write in request.get("TransactItems", ()) if "Put" in write]
    assert len(puts) == 3
    assert all("attribute_not_exists" in put.get("ConditionExpression", "") for put in puts)


@pytest.mark.parametrize("kind", ["live", "test"])
def test_made_key_is_of_the_stages_kind(latchkey: TestApp, kind: str) -> None:
    """A production stage makes live keys."""
    creator = latchkey.key(latchkey.account())
    with settings.in_use(replace(settings.current(), key_kind=kind)):
        assert secrets.kind_of(issue(latchkey, creator).secret) == kind


def test_repr_of_an_issued_key_is_its_id(latchkey: TestApp) -> None:
    """A key that ends up in a log or traceback shows no secret."""
    issued = latchkey.key(latchkey.account())
    assert repr(issued) == f"Issued({issued.key.id})"


def test_scope_that_the_maker_lacks_is_refused_by_name(latchkey: TestApp) -> None:
    """No key is made that may do more than its creator."""
    creator = latchkey.key(latchkey.account(), "read", "keys")
    with pytest.raises(errors.InvalidRequest, match="write"):
        issue(latchkey, creator, "read", "write")


def test_admin_scope_is_refused_to_the_key_of_an_ordinary_account(latchkey: TestApp) -> None:
    """`admin` on a key that was made while its account was admin is worth nothing afterwards, not even to pass on."""
    account = latchkey.account(admin=True)
    creator = latchkey.key(account, "keys", "admin")
    account.update(actions=[Account.admin.set(False)])
    with pytest.raises(errors.InvalidRequest, match="admin"):
        issue(latchkey, creator, "admin")


def test_key_of_an_endless_maker_is_endless_unless_asked_otherwise(latchkey: TestApp) -> None:
    """No expiry is asked for, none is given."""
    creator = latchkey.key(latchkey.account())
    assert issue(latchkey, creator).key.expires_at is None
    assert issue(latchkey, creator, expires_in_s=60).key.expires_at == NOON_MS + 60_000


def test_key_of_an_ending_maker_ends_with_it(latchkey: TestApp) -> None:
    """A key that is asked for without an expiry ends when its creator does."""
    creator = latchkey.key(latchkey.account(), expires_in_s=3600)
    assert issue(latchkey, creator).key.expires_at == NOON_MS + 3_600_000


def test_key_that_would_outlive_its_maker_is_refused(latchkey: TestApp) -> None:
    """The message says how long it may live: exactly as long as the creator."""
    creator = latchkey.key(latchkey.account(), expires_in_s=3600)
    with pytest.raises(errors.InvalidRequest, match="at most 3600:"):
        issue(latchkey, creator, expires_in_s=3601)
    assert issue(latchkey, creator, expires_in_s=3600).key.expires_at == NOON_MS + 3_600_000


def test_ended_key_is_kept_for_thirty_days(latchkey: TestApp) -> None:
    """The reference: "ended ones until 30 days past their end"; until then the answer is `token_expired`."""
    key = latchkey.key(latchkey.account(), expires_in_s=60).key
    assert key.dies_at == NOON_MS // 1000 + 60 + 30 * 86_400


def test_twenty_keys_may_live_and_the_next_is_a_conflict(latchkey: TestApp) -> None:
    """The limit counts live keys of an account; the refusal says what to do."""
    account = latchkey.account()
    keys = [latchkey.key(account) for _ in range(LIVE_MAX)]
    with pytest.raises(errors.Conflict, match="at most 20 active keys"):
        issue(latchkey, keys[0])
    assert len(list(find.keys_of(account.id))) == LIVE_MAX
    latchkey.key(latchkey.account())


def test_revoked_key_frees_its_place(latchkey: TestApp) -> None:
    """One out, one in."""
    account = latchkey.account()
    keys = [latchkey.key(account) for _ in range(LIVE_MAX)]
    revoke.revoke(account.id, keys[7].key.id)
    issue(latchkey, keys[0])
    with pytest.raises(errors.Conflict):
        issue(latchkey, keys[0])


def test_expired_keys_free_their_places(latchkey: TestApp) -> None:
    """Keys that ended by themselves are no longer counted, without anybody tidying up."""
    account = latchkey.account()
    creator = latchkey.key(account)
    for _ in range(LIVE_MAX - 1):
        latchkey.key(account, expires_in_s=60)
    latchkey.clock.forward(60)
    for _ in range(LIVE_MAX - 1):
        issue(latchkey, creator)
    with pytest.raises(errors.Conflict):
        issue(latchkey, creator)


def test_key_for_a_suspended_account_is_refused(latchkey: TestApp) -> None:
    """A suspension that is not felt everywhere yet makes no new keys."""
    account = latchkey.account()
    creator = verify(latchkey.key(account).secret)
    account.update(actions=[Account.status.set("suspended")])
    with pytest.raises(errors.NotFound):
        issue_key(creator, name="Late", wanted=["read"], expires_in_s=None)
    account.delete()
    with pytest.raises(errors.NotFound):
        issue_key(creator, name="Late", wanted=["read"], expires_in_s=None)


def test_key_made_by_a_verdict_from_before_the_makers_rotation_is_refused(latchkey: TestApp) -> None:
    """A function that hasn't heard yet that its creator is being rotated out makes no key that stays."""
    account = latchkey.account()
    creator = latchkey.key(account)
    unaware = verify(creator.secret)
    rotate(unaware, creator.key.id, 600)
    with pytest.raises(errors.Conflict):
        issue_key(unaware, name="Made", wanted=["read"], expires_in_s=None)
    assert issue(latchkey, creator).key.expires_at == NOON_MS + 600_000


def test_key_made_by_a_session_that_ended_meanwhile_is_refused(latchkey: TestApp) -> None:
    """Whoever was logged out while they asked for a key gets none."""
    account = latchkey.account()
    session = replace(verify(latchkey.key(account).secret), kind="session", session_epoch=account.session_epoch)
    account.update(actions=[Account.session_epoch.add(1)])
    with pytest.raises(errors.Conflict):
        issue_key(session, name="Made", wanted=["read"], expires_in_s=None)
