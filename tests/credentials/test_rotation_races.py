"""Links between a rotated key and its successor, and rotations that lose a race."""

import pytest

from chalicelib.accounts import invalidation
from chalicelib.accounts.tables import Account
from chalicelib.core import errors
from chalicelib.credentials import change, find, revoke
from chalicelib.credentials.issue import Issued
from chalicelib.credentials.key_limit import LIVE_MAX
from chalicelib.credentials.rotate import rotate
from chalicelib.credentials.tables import Credential
from chalicelib.credentials.verify import verify
from chalicelib.limits import stale_marks
from tests.support.harness import START_MS, TestApp
from tests.support.interleaving import fail_marks, record_calls, run_after, run_before

GRACE_S = 60


def rotate_key(key: Issued, grace_s: int = GRACE_S, *, by: Issued | None = None) -> Issued:
    """Rotate `key` with itself, or with the key `by`."""
    return rotate(verify((by or key).secret), key.key.id, grace_s)


def stored(issued: Issued) -> Credential:
    """Return the stored key."""
    return find.owned_key(issued.key.account_id, issued.key.id)


def links(issued: Issued) -> set[str]:
    """Return the names of the attributes that link a key to its predecessor and successor."""
    return {name for name in stored(issued).attribute_values if name.startswith(("predecessor", "successor"))}


def active_keys(issued: Issued) -> dict[str, int]:
    """Return the active keys of the key's account."""
    ends: dict[str, int] = Account.get(issued.key.account_id).live_keys.as_dict()
    return ends


@pytest.mark.parametrize("grace_s", [0, GRACE_S])
@pytest.mark.parametrize("expires_in_s", [None, 3_600])
def test_rotated_keys_are_linked_with_their_expiries(latchkey: TestApp, grace_s: int, expires_in_s: int | None) -> None:
    """Each key stores the other's expiry.

    Without a grace period, the old key's expiry is set 8 seconds into the past.
    """
    account = latchkey.account()
    creator, old = latchkey.key(account), latchkey.key(account, expires_in_s=expires_in_s)
    change.change_key(account.id, old.key.id, name=None, wanted=None, on_anomaly="narrow")
    new = rotate_key(old, grace_s, by=creator)
    left, came = stored(old), stored(new)
    retires_at = START_MS + (grace_s * 1000 if grace_s else -stale_marks.CLOCK_SKEW_S * 1000)
    expires_at = START_MS + expires_in_s * 1000 if expires_in_s else 0
    assert (left.retires_at, left.dies_at) == (retires_at, retires_at // 1000 + 30 * 86_400)
    assert (left.successor_id, left.successor_digest) == (new.key.id, new.key.digest)
    assert left.successor_ends_at == expires_at
    assert (came.predecessor_digest, came.predecessor_ends_at) == (old.key.digest, retires_at)
    assert (came.lineage, came.on_anomaly, came.made_by) == (old.key.id, "narrow", creator.key.id)
    assert (came.expires_at or 0, "retires_at" in came.attribute_values) == (expires_at, False)
    kept = {old.key.id: retires_at} if grace_s else {}
    assert active_keys(old) == {creator.key.id: 0, new.key.id: expires_at} | kept


def test_revoked_predecessor_is_unlinked_from_its_successor(latchkey: TestApp) -> None:
    """A revocation removes the link to the revoked key from its predecessor and its successor."""
    account = latchkey.account()
    first, second = latchkey.key(account), latchkey.key(account)
    new = rotate_key(first)
    revoke.revoke(account.id, first.key.id)
    assert links(new) == set()
    lost = rotate_key(second)
    revoke.revoke(account.id, lost.key.id)
    assert links(second) == set()
    assert stored(second).retires_at == START_MS + GRACE_S * 1000


def test_expired_key_keeps_its_links(latchkey: TestApp) -> None:
    """A revocation unlinks keys that haven't expired; the links of an expired key stay."""
    account = latchkey.account()
    first, second = latchkey.key(account), latchkey.key(account)
    new, other = rotate_key(first), rotate_key(second)
    latchkey.clock.forward(GRACE_S)
    revoke.revoke(account.id, new.key.id)
    assert stored(first).successor_id == new.key.id
    revoke.revoke(account.id, second.key.id)
    assert stored(other).predecessor_digest == second.key.digest


def test_key_past_its_grace_period_is_not_rotated_after_its_successor_was_revoked(latchkey: TestApp) -> None:
    """A key whose successor was revoked can be rotated again only within its grace period."""
    account = latchkey.account()
    creator, old = latchkey.key(account), latchkey.key(account)
    revoke.revoke(account.id, rotate_key(old, by=creator).key.id)
    latchkey.clock.now_ms += GRACE_S * 1000 - 1
    revoke.revoke(account.id, rotate_key(old, by=creator).key.id)
    latchkey.clock.now_ms += 1
    with pytest.raises(errors.Conflict, match="An expired or revoked key"):
        rotate_key(old, by=creator)


def test_rotation_overwrites_nothing(latchkey: TestApp) -> None:
    """A rotation writes a new key only if no item has its digest."""
    key = latchkey.key(latchkey.account())
    with record_calls() as calls:
        rotate_key(key)
    writes = [write for _, request in calls for write in request.get("TransactItems", ())]
    puts = [write["Put"] for write in writes if "Put" in write]
    assert len(puts) == 2
    assert all("attribute_not_exists" in put.get("ConditionExpression", "") for put in puts)


def test_rotation_with_a_lost_mark_is_reported(latchkey: TestApp) -> None:
    """If the invalidation mark can't be set, the rotation returns the new secret and reports the missing mark."""
    account = latchkey.account()
    creator, old, other = latchkey.key(account), latchkey.key(account), latchkey.key(account)
    assert rotate_key(old, by=creator).is_marked
    assert invalidation.is_marked(account.id, START_MS)
    with fail_marks():
        assert not rotate_key(other, by=creator).is_marked


def test_rotation_reads_concurrently_removed_scopes(latchkey: TestApp) -> None:
    """If scopes are removed during a rotation, the successor has the remaining scopes."""
    account = latchkey.account()
    creator, old = latchkey.key(account), latchkey.key(account)
    with run_before("TransactWriteItems", lambda: change.narrow_to_read(old.key)):
        assert rotate_key(old, by=creator).key.scopes == {"read"}


def test_rotation_with_a_concurrent_change_succeeds_when_the_predecessor_has_expired(latchkey: TestApp) -> None:
    """A rotation that races with a change of the key is retried, even if the key has an expired predecessor."""
    account = latchkey.account()
    creator, first = latchkey.key(account), latchkey.key(account)
    old = rotate_key(first, by=creator)
    latchkey.clock.forward(GRACE_S)
    with run_before("TransactWriteItems", lambda: change.narrow_to_read(old.key)):
        assert rotate_key(old, by=creator).key.scopes == {"read"}


def test_rotation_with_a_concurrent_change_succeeds_when_the_successor_has_expired(latchkey: TestApp) -> None:
    """A rotation that races with a change of the key is retried, even if the key has an expired successor."""
    account = latchkey.account()
    creator, brief, old = latchkey.key(account), latchkey.key(account, expires_in_s=GRACE_S), latchkey.key(account)
    rotate_key(old, GRACE_S + 1, by=brief)
    latchkey.clock.forward(GRACE_S)
    with run_before("TransactWriteItems", lambda: change.narrow_to_read(old.key)):
        assert rotate_key(old, by=creator).key.scopes == {"read"}


def test_rotation_that_loses_a_race_names_the_successor(latchkey: TestApp) -> None:
    """Of two concurrent rotations the second creates no key, and its error names the successor of the first."""
    account = latchkey.account()
    creator, old = latchkey.key(account), latchkey.key(account)
    made: list[Issued] = []
    with (
        run_before("TransactWriteItems", lambda: made.append(rotate_key(old, by=creator))),
        pytest.raises(errors.Conflict) as no,
    ):
        rotate_key(old, by=creator)
    assert made[0].key.id in str(no.value)
    assert len(list(find.keys_of(account.id))) == 3


def test_rotation_that_read_the_key_before_its_grace_period_passes_on_the_rest_of_it(latchkey: TestApp) -> None:
    """If a concurrent rotation started the grace period, the successor expires at the end of that period."""
    account = latchkey.account()
    creator, old = latchkey.key(account), latchkey.key(account)
    with run_before("TransactWriteItems", lambda: revoke.revoke(account.id, rotate_key(old, by=creator).key.id)):
        assert rotate_key(old, by=creator).key.expires_at == START_MS + GRACE_S * 1000


def test_rotation_after_a_concurrent_revocation_is_rejected(latchkey: TestApp) -> None:
    """A key that is revoked during its rotation gets no successor."""
    account = latchkey.account()
    creator, old = latchkey.key(account), latchkey.key(account)
    with (
        run_before("TransactWriteItems", lambda: revoke.revoke(account.id, old.key.id)),
        pytest.raises(errors.Conflict, match="An expired or revoked key"),
    ):
        rotate_key(old, by=creator)
    assert len(list(find.keys_of(account.id))) == 2


def test_key_that_expires_during_a_retry_is_rejected_as_expired(latchkey: TestApp) -> None:
    """If the key expires while its rotation is retried, the rotation is rejected as that of an expired key."""
    account = latchkey.account()
    creator, old = latchkey.key(account), latchkey.key(account, expires_in_s=60)
    for _ in range(LIVE_MAX - 2):
        latchkey.key(account)
    with (
        run_after("TransactWriteItems", lambda: latchkey.clock.forward(60)),
        pytest.raises(errors.Conflict, match="An expired or revoked key"),
    ):
        rotate_key(old, by=creator)


def test_successor_replaces_an_expired_key_among_the_active_keys(latchkey: TestApp) -> None:
    """In an account at its limit, a rotation removes expired keys from the active keys."""
    account = latchkey.account()
    creator, old = latchkey.key(account), latchkey.key(account)
    for _ in range(LIVE_MAX - 2):
        latchkey.key(account, expires_in_s=60)
    latchkey.clock.forward(60)
    new = rotate_key(old, by=creator)
    assert active_keys(old).keys() == {creator.key.id, old.key.id, new.key.id}
