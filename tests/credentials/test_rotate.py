"""Rotation of keys: required scopes, the successor's attributes, and at most two active keys of one lineage."""

import pytest

from chalicelib.core import clock, errors
from chalicelib.credentials import change, find, revoke, rotation_grace
from chalicelib.credentials.issue import Issued, issue_key
from chalicelib.credentials.key_limit import LIVE_MAX
from chalicelib.credentials.rotate import rotate
from chalicelib.credentials.tables import Credential
from chalicelib.credentials.verify import verify
from chalicelib.events import kinds, record
from tests.support.harness import START_MS, TestApp


def rotate_key(latchkey: TestApp, creator: Issued, key: Issued, grace_s: int = rotation_grace.DEFAULT_S) -> Issued:
    """Rotate `key` with `creator`."""
    issued = rotate(verify(creator.secret), key.key.id, grace_s)
    latchkey.secrets.append(issued.secret)
    return issued


def stored(issued: Issued) -> Credential:
    """Return the stored key."""
    return find.owned_key(issued.key.account_id, issued.key.id)


def test_successor_has_the_name_scopes_and_expiry(latchkey: TestApp) -> None:
    """A successor has the name, scopes and expiry of the rotated key, and a new secret."""
    account = latchkey.account()
    old = latchkey.key(account, "read", "events", "keys", expires_in_s=999)
    creator = latchkey.key(account, "read", "events", "keys")
    new = rotate_key(latchkey, creator, old)
    assert (new.key.name, new.key.scopes, new.key.expires_at) == (old.key.name, old.key.scopes, old.key.expires_at)
    assert new.secret != old.secret
    assert verify(new.secret).scopes == verify(old.secret).scopes


def test_old_key_works_until_the_end_of_its_grace_period(latchkey: TestApp) -> None:
    """Both keys work during the grace period, and only the successor works afterwards."""
    account = latchkey.account()
    old = latchkey.key(account)
    new = rotate_key(latchkey, old, old, grace_s=60)
    assert stored(old).successor_id == new.key.id
    latchkey.clock.forward(59.999)
    assert verify(old.secret)
    assert verify(new.secret)
    latchkey.clock.forward(0.001)
    with pytest.raises(errors.TokenExpired):
        verify(old.secret)
    assert verify(new.secret)


def test_rotation_without_a_grace_period_ends_the_old_key_immediately(latchkey: TestApp) -> None:
    """A rotation with a grace period of 0 replaces a leaked key and invalidates it immediately."""
    old = latchkey.key(latchkey.account())
    new = rotate_key(latchkey, old, old, grace_s=0)
    with pytest.raises(errors.TokenExpired):
        verify(old.secret)
    assert verify(new.secret)


def test_grace_period_is_a_day_by_default_and_at_most_a_week(latchkey: TestApp) -> None:
    """The documented grace period is "86,400 (a day) unless you give another number, at most 604,800 (a week)"."""
    account = latchkey.account()
    old, other = latchkey.key(account), latchkey.key(account)
    rotate_key(latchkey, old, old, grace_s=rotation_grace.MAX_S)
    assert stored(old).ends_at == START_MS + 604_800_000
    rotate_key(latchkey, other, other, grace_s=rotation_grace.DEFAULT_S)
    assert stored(other).ends_at == START_MS + 86_400_000


def test_grace_period_doesnt_extend_a_key(latchkey: TestApp) -> None:
    """A grace period doesn't extend a key that expires earlier."""
    old = latchkey.key(latchkey.account(), expires_in_s=60)
    rotate_key(latchkey, old, old, grace_s=3600)
    assert stored(old).ends_at == START_MS + 60_000


def test_rotated_key_is_not_rotated_again_while_its_successor_is_active(latchkey: TestApp) -> None:
    """A key can't be rotated while its successor is active; the error names the successor."""
    old = latchkey.key(latchkey.account())
    new = rotate_key(latchkey, old, old)
    with pytest.raises(errors.Conflict, match=new.key.id):
        rotate_key(latchkey, old, old)


def test_successor_is_not_rotated_while_its_predecessor_is_active(latchkey: TestApp) -> None:
    """A successor can't be rotated during its predecessor's grace period; the error states when it ends."""
    old = latchkey.key(latchkey.account())
    new = rotate_key(latchkey, old, old, grace_s=60)
    with pytest.raises(errors.Conflict, match="2021-12-20T10:01:00Z"):
        rotate_key(latchkey, new, new)


def test_successor_is_rotated_after_its_predecessor_expired(latchkey: TestApp) -> None:
    """A successor can be rotated after its predecessor has expired."""
    old = latchkey.key(latchkey.account())
    new = rotate_key(latchkey, old, old, grace_s=60)
    latchkey.clock.forward(60)
    assert verify(rotate_key(latchkey, new, new).secret)


def test_successor_is_rotated_after_its_predecessor_was_revoked(latchkey: TestApp) -> None:
    """A successor can be rotated after its predecessor was revoked, which ends the grace period early."""
    account = latchkey.account()
    old = latchkey.key(account)
    new = rotate_key(latchkey, old, old)
    revoke.revoke(account.id, old.key.id)
    assert verify(rotate_key(latchkey, new, new).secret)


def test_successor_is_rotated_immediately_without_a_grace_period(latchkey: TestApp) -> None:
    """After a rotation without a grace period, the successor can be rotated immediately."""
    old = latchkey.key(latchkey.account())
    new = rotate_key(latchkey, old, old, grace_s=0)
    assert verify(rotate_key(latchkey, new, new, grace_s=0).secret)


def test_key_is_rotated_again_after_its_successor_was_revoked(latchkey: TestApp) -> None:
    """A key whose successor was revoked can be rotated again, but its grace period isn't extended."""
    account = latchkey.account()
    old = latchkey.key(account)
    lost = rotate_key(latchkey, old, old, grace_s=600)
    revoke.revoke(account.id, lost.key.id)
    latchkey.clock.forward(300)
    new = rotate_key(latchkey, old, old, grace_s=rotation_grace.MAX_S)
    assert verify(new.secret)
    assert stored(old).ends_at == START_MS + 600_000


def test_key_is_rotated_again_after_its_successor_expired(latchkey: TestApp) -> None:
    """A key can be rotated again after its successor has expired."""
    account = latchkey.account()
    old, brief = latchkey.key(account), latchkey.key(account, expires_in_s=60)
    first = rotate_key(latchkey, brief, old)
    assert first.key.expires_at == START_MS + 60_000
    latchkey.clock.forward(60)
    assert verify(rotate_key(latchkey, old, old).secret)


def test_successor_doesnt_outlive_its_creator(latchkey: TestApp) -> None:
    """If a creator with an expiry rotates a key without one, the successor expires with the creator."""
    account = latchkey.account()
    unlimited, expiring = latchkey.key(account), latchkey.key(account, expires_in_s=3600)
    assert rotate_key(latchkey, expiring, unlimited).key.expires_at == START_MS + 3_600_000


def test_key_in_its_grace_period_passes_on_its_expiry(latchkey: TestApp) -> None:
    """A key that is rotated by a key in its grace period gets a successor that expires at the end of that period."""
    account = latchkey.account()
    leaving, other = latchkey.key(account), latchkey.key(account)
    rotate_key(latchkey, leaving, leaving, grace_s=60)
    assert rotate_key(latchkey, leaving, other).key.expires_at == START_MS + 60_000


def test_key_that_rotates_itself_passes_on_its_own_expiry(latchkey: TestApp) -> None:
    """If a key rotates itself, its successor has the key's own expiry, not the end of the grace period."""
    account = latchkey.account()
    unlimited, expiring = latchkey.key(account), latchkey.key(account, expires_in_s=3600)
    assert rotate_key(latchkey, unlimited, unlimited, grace_s=60).key.expires_at is None
    assert rotate_key(latchkey, expiring, expiring, grace_s=60).key.expires_at == START_MS + 3_600_000


def test_key_that_rotates_itself_again_in_its_grace_period_passes_on_its_end(latchkey: TestApp) -> None:
    """A key that rotates itself again in its grace period gets a successor that expires at the end of that period."""
    account = latchkey.account()
    old = latchkey.key(account)
    successor = rotate_key(latchkey, old, old, grace_s=600)
    revoke.revoke(account.id, successor.key.id)
    assert rotate_key(latchkey, old, old, grace_s=0).key.expires_at == START_MS + 600_000


def test_successor_of_a_key_in_its_grace_period_expires_with_it(latchkey: TestApp) -> None:
    """The successor of a key in its grace period expires at the end of that period, even if the key that rotates it
    again has no expiry.
    """
    account = latchkey.account()
    old, unlimited = latchkey.key(account), latchkey.key(account)
    revoke.revoke(account.id, rotate_key(latchkey, unlimited, old, grace_s=600).key.id)
    assert rotate_key(latchkey, unlimited, old).key.expires_at == START_MS + 600_000


def test_lineage_of_a_rotated_key_expires_with_its_grace_period(latchkey: TestApp) -> None:
    """Repeated rotations, and keys created by the last successor, don't outlast the first grace period."""
    account = latchkey.account()
    old = latchkey.key(account)
    revoke.revoke(account.id, rotate_key(latchkey, old, old, grace_s=600).key.id)
    last = rotate_key(latchkey, old, old)
    revoke.revoke(account.id, old.key.id)
    for _ in range(3):
        last = rotate_key(latchkey, last, last, grace_s=0)
    made = issue_key(verify(last.secret), name="More", wanted=["read"], expires_in_s=None)
    latchkey.clock.forward(600)
    for each in (last, made):
        with pytest.raises(errors.TokenExpired):
            verify(each.secret)


def test_rotation_by_a_key_that_was_rotated_since_its_verification_is_rejected(latchkey: TestApp) -> None:
    """A key that was rotated after its verification can't rotate keys, because a successor would never expire."""
    account = latchkey.account()
    old, other = latchkey.key(account), latchkey.key(account)
    unaware = verify(old.secret)
    rotate_key(latchkey, old, old, grace_s=600)
    with pytest.raises(errors.Conflict):
        rotate(unaware, other.key.id, 0)
    assert stored(other).retires_at is None


def test_rotation_requires_every_scope_of_the_key(latchkey: TestApp) -> None:
    """A rotation by a creator that lacks a scope of the key is rejected with an error that names the scope."""
    account = latchkey.account()
    big, small = latchkey.key(account, "read", "write", "keys"), latchkey.key(account, "read", "keys")
    with pytest.raises(errors.InsufficientScope, match="write"):
        rotate_key(latchkey, small, big)
    assert rotate_key(latchkey, big, small)


@pytest.mark.parametrize("grace_s", [0, 60])
def test_key_that_is_no_longer_valid_is_not_rotated(latchkey: TestApp, grace_s: int) -> None:
    """An expired, a rotated and a revoked key can't be rotated."""
    account = latchkey.account()
    creator = latchkey.key(account)
    expired, revoked, retired = latchkey.key(account, expires_in_s=60), latchkey.key(account), latchkey.key(account)
    revoke.revoke(account.id, revoked.key.id)
    rotate_key(latchkey, creator, retired, grace_s=grace_s)
    latchkey.clock.forward(60)
    for ended in (expired, revoked, retired):
        with pytest.raises(errors.Conflict, match="An expired or revoked key"):
            rotate_key(latchkey, creator, ended)


def test_key_of_another_account_is_not_found(latchkey: TestApp) -> None:
    """A key of another account is not found, as if it didn't exist."""
    with pytest.raises(errors.NotFound):
        rotate_key(latchkey, latchkey.key(latchkey.account()), latchkey.key(latchkey.account()))


def test_successor_has_only_the_remaining_scopes(latchkey: TestApp) -> None:
    """The successor of a key from which scopes were removed has only the remaining scopes."""
    account = latchkey.account()
    creator, key = latchkey.key(account), latchkey.key(account)
    change.change_key(account.id, key.key.id, name="Narrow", wanted=["read"])
    new = rotate_key(latchkey, creator, key)
    assert (new.key.name, new.key.scopes) == ("Narrow", {"read"})


def test_rotation_counts_against_the_limit_of_active_keys(latchkey: TestApp) -> None:
    """Both keys count against the limit during a grace period, so an account at its limit can rotate only with a grace
    period of 0.
    """
    account = latchkey.account()
    keys = [latchkey.key(account) for _ in range(LIVE_MAX)]
    with pytest.raises(errors.Conflict, match="at most 20 active keys"):
        rotate_key(latchkey, keys[0], keys[1])
    assert rotate_key(latchkey, keys[0], keys[1], grace_s=0)
    with pytest.raises(errors.Conflict, match="at most 20 active keys"):
        rotate_key(latchkey, keys[0], keys[2], grace_s=1)


def test_rejected_rotation_changes_nothing(latchkey: TestApp) -> None:
    """A rejected rotation changes no key and creates none."""
    account = latchkey.account()
    old = latchkey.key(account)
    rotate_key(latchkey, old, old)
    before = [key.id for key in find.keys_of(account.id)]
    with pytest.raises(errors.Conflict):
        rotate_key(latchkey, old, old, grace_s=0)
    assert [key.id for key in find.keys_of(account.id)] == before
    assert verify(old.secret)


def test_rotated_key_is_deleted_thirty_days_after_its_expiry(latchkey: TestApp) -> None:
    """A rotated key is deleted thirty days after its expiry; its successor without an expiry is kept."""
    old = latchkey.key(latchkey.account())
    new = rotate_key(latchkey, old, old, grace_s=60)
    assert stored(old).dies_at == START_MS // 1000 + 60 + 30 * 86_400
    assert "dies_at" not in stored(new).attribute_values


@pytest.mark.parametrize("grace_s", [0, 60])
def test_rotation_event_has_both_keys_and_the_end_of_the_grace_period(latchkey: TestApp, grace_s: int) -> None:
    """The event of a rotation contains both keys and the time by which clients must use the new one."""
    account = latchkey.account()
    old = latchkey.key(account)
    latchkey.clock.forward(1)
    new = rotate_key(latchkey, old, old, grace_s=grace_s)
    (event,) = record.newest_first(account.id, 1)
    ends_at = clock.iso(stored(old).ends_at or 0)
    assert (event.type, event.changed.as_dict()) == (
        kinds.KEY_ROTATED,
        {"key": old.key.id, "successor": new.key.id, "ends_at": ends_at},
    )
