"""Rotation: who may, what the successor inherits, and that at most two of a lineage live."""

import pytest

from chalicelib.core import clock, errors
from chalicelib.credentials import change, find, revoke, rotation_grace
from chalicelib.credentials.issue import Issued, issue_key
from chalicelib.credentials.key_limit import LIVE_MAX
from chalicelib.credentials.rotate import rotate
from chalicelib.credentials.tables import Credential
from chalicelib.credentials.verify import verify
from chalicelib.events import kinds, record
from tests.support.harness import NOON_MS, TestApp


def turn(latchkey: TestApp, creator: Issued, key: Issued, grace_s: int = rotation_grace.DEFAULT_S) -> Issued:
    """Rotate `key` with `creator`."""
    issued = rotate(verify(creator.secret), key.key.id, grace_s)
    latchkey.secrets.append(issued.secret)
    return issued


def stored(issued: Issued) -> Credential:
    """Return a key as it stands."""
    return find.owned_key(issued.key.account_id, issued.key.id)


def test_successor_inherits_name_scopes_and_expiry(latchkey: TestApp) -> None:
    """A rotation changes the secret and nothing else."""
    account = latchkey.account()
    old = latchkey.key(account, "read", "events", "keys", expires_in_s=999)
    creator = latchkey.key(account, "read", "events", "keys")
    new = turn(latchkey, creator, old)
    assert (new.key.name, new.key.scopes, new.key.expires_at) == (old.key.name, old.key.scopes, old.key.expires_at)
    assert new.secret != old.secret
    assert verify(new.secret).scopes == verify(old.secret).scopes


def test_old_key_works_until_its_grace_is_over(latchkey: TestApp) -> None:
    """Nothing has to stop: both work for the grace, then the successor alone."""
    account = latchkey.account()
    old = latchkey.key(account)
    new = turn(latchkey, old, old, grace_s=60)
    assert stored(old).successor_id == new.key.id
    latchkey.clock.forward(59.999)
    assert verify(old.secret)
    assert verify(new.secret)
    latchkey.clock.forward(0.001)
    with pytest.raises(errors.TokenExpired):
        verify(old.secret)
    assert verify(new.secret)


def test_grace_of_nothing_ends_the_old_key_at_once(latchkey: TestApp) -> None:
    """A leaked key is replaced and dead in one call."""
    old = latchkey.key(latchkey.account())
    new = turn(latchkey, old, old, grace_s=0)
    with pytest.raises(errors.TokenExpired):
        verify(old.secret)
    assert verify(new.secret)


def test_longest_grace_is_a_week_and_the_usual_one_a_day(latchkey: TestApp) -> None:
    """The guide: "86,400 (a day) unless you give another number, at most 604,800 (a week)"."""
    account = latchkey.account()
    old, other = latchkey.key(account), latchkey.key(account)
    turn(latchkey, old, old, grace_s=rotation_grace.MAX_S)
    assert stored(old).ends_at == NOON_MS + 604_800_000
    turn(latchkey, other, other, grace_s=rotation_grace.DEFAULT_S)
    assert stored(other).ends_at == NOON_MS + 86_400_000


def test_grace_never_prolongs_a_key(latchkey: TestApp) -> None:
    """A key that expires before its grace is over expires."""
    old = latchkey.key(latchkey.account(), expires_in_s=60)
    turn(latchkey, old, old, grace_s=3600)
    assert stored(old).ends_at == NOON_MS + 60_000


def test_rotated_key_is_not_rotated_again_while_its_successor_lives(latchkey: TestApp) -> None:
    """Two of a lineage live, never three; the refusal names the successor."""
    old = latchkey.key(latchkey.account())
    new = turn(latchkey, old, old)
    with pytest.raises(errors.Conflict, match=new.key.id):
        turn(latchkey, old, old)


def test_successor_is_not_rotated_while_its_predecessor_lives(latchkey: TestApp) -> None:
    """Two of a lineage live, never three; the refusal says until when."""
    old = latchkey.key(latchkey.account())
    new = turn(latchkey, old, old, grace_s=60)
    with pytest.raises(errors.Conflict, match="2021-12-20T10:01:00Z"):
        turn(latchkey, new, new)


def test_predecessors_end_frees_the_successor(latchkey: TestApp) -> None:
    """When the grace is over the lineage may go on."""
    old = latchkey.key(latchkey.account())
    new = turn(latchkey, old, old, grace_s=60)
    latchkey.clock.forward(60)
    assert verify(turn(latchkey, new, new).secret)


def test_predecessors_revocation_frees_the_successor(latchkey: TestApp) -> None:
    """Whoever revokes the old key need not wait for its grace."""
    account = latchkey.account()
    old = latchkey.key(account)
    new = turn(latchkey, old, old)
    revoke.revoke(account.id, old.key.id)
    assert verify(turn(latchkey, new, new).secret)


def test_grace_of_nothing_frees_the_successor(latchkey: TestApp) -> None:
    """A key whose predecessor is over may be rotated at once."""
    old = latchkey.key(latchkey.account())
    new = turn(latchkey, old, old, grace_s=0)
    assert verify(turn(latchkey, new, new, grace_s=0).secret)


def test_successors_revocation_frees_the_key_without_prolonging_it(latchkey: TestApp) -> None:
    """A successor that was lost is replaced, but the old key's grace runs on as it was."""
    account = latchkey.account()
    old = latchkey.key(account)
    lost = turn(latchkey, old, old, grace_s=600)
    revoke.revoke(account.id, lost.key.id)
    latchkey.clock.forward(300)
    new = turn(latchkey, old, old, grace_s=rotation_grace.MAX_S)
    assert verify(new.secret)
    assert stored(old).ends_at == NOON_MS + 600_000


def test_successors_expiry_frees_the_key(latchkey: TestApp) -> None:
    """A successor that ended by itself, as its short-lived creator did, leaves the key to be rotated again."""
    account = latchkey.account()
    old, brief = latchkey.key(account), latchkey.key(account, expires_in_s=60)
    first = turn(latchkey, brief, old)
    assert first.key.expires_at == NOON_MS + 60_000
    latchkey.clock.forward(60)
    assert verify(turn(latchkey, old, old).secret)


def test_successor_never_outlives_its_maker(latchkey: TestApp) -> None:
    """An ending key that rotates an endless one makes an ending one."""
    account = latchkey.account()
    endless, ending = latchkey.key(account), latchkey.key(account, expires_in_s=3600)
    assert turn(latchkey, ending, endless).key.expires_at == NOON_MS + 3_600_000


def test_key_in_its_grace_makes_no_endless_key(latchkey: TestApp) -> None:
    """A rotated key that rotates another passes on no more life than it has left."""
    account = latchkey.account()
    leaving, other = latchkey.key(account), latchkey.key(account)
    turn(latchkey, leaving, leaving, grace_s=60)
    assert turn(latchkey, leaving, other).key.expires_at == NOON_MS + 60_000


def test_key_that_rotates_itself_passes_its_own_expiry_on(latchkey: TestApp) -> None:
    """Its own grace doesn't shorten its successor's life."""
    account = latchkey.account()
    endless, ending = latchkey.key(account), latchkey.key(account, expires_in_s=3600)
    assert turn(latchkey, endless, endless, grace_s=60).key.expires_at is None
    assert turn(latchkey, ending, ending, grace_s=60).key.expires_at == NOON_MS + 3_600_000


def test_key_that_rotates_itself_again_in_its_grace_makes_none_that_outlives_it(latchkey: TestApp) -> None:
    """Whoever holds a key that is being rotated out can't make themselves one that stays, by revoking its successor."""
    account = latchkey.account()
    old = latchkey.key(account)
    successor = turn(latchkey, old, old, grace_s=600)
    revoke.revoke(account.id, successor.key.id)
    assert turn(latchkey, old, old, grace_s=0).key.expires_at == NOON_MS + 600_000


def test_successor_of_a_key_in_its_grace_ends_with_it_whoever_rotates(latchkey: TestApp) -> None:
    """Of a key that is being rotated out an endless key makes no endless one either."""
    account = latchkey.account()
    old, endless = latchkey.key(account), latchkey.key(account)
    revoke.revoke(account.id, turn(latchkey, endless, old, grace_s=600).key.id)
    assert turn(latchkey, endless, old).key.expires_at == NOON_MS + 600_000


def test_lineage_of_a_rotated_key_never_ends_later_than_its_grace(latchkey: TestApp) -> None:
    """However often it is rotated on, and whatever its last one makes, all of it is over when the first's grace is."""
    account = latchkey.account()
    old = latchkey.key(account)
    revoke.revoke(account.id, turn(latchkey, old, old, grace_s=600).key.id)
    last = turn(latchkey, old, old)
    revoke.revoke(account.id, old.key.id)
    for _ in range(3):
        last = turn(latchkey, last, last, grace_s=0)
    made = issue_key(verify(last.secret), name="More", wanted=["read"], expires_in_s=None)
    latchkey.clock.forward(600)
    for each in (last, made):
        with pytest.raises(errors.TokenExpired):
            verify(each.secret)


def test_rotation_by_a_verdict_from_before_the_makers_own_rotation_is_refused(latchkey: TestApp) -> None:
    """A function that hasn't heard yet that the key is being rotated out gives it no successor that stays."""
    account = latchkey.account()
    old, other = latchkey.key(account), latchkey.key(account)
    unaware = verify(old.secret)
    turn(latchkey, old, old, grace_s=600)
    with pytest.raises(errors.Conflict):
        rotate(unaware, other.key.id, 0)
    assert stored(other).retires_at is None


def test_rotation_needs_every_scope_of_the_key(latchkey: TestApp) -> None:
    """Nobody gets by rotation what it may not do itself; the refusal names the scope."""
    account = latchkey.account()
    big, small = latchkey.key(account, "read", "write", "keys"), latchkey.key(account, "read", "keys")
    with pytest.raises(errors.InsufficientScope, match="write"):
        turn(latchkey, small, big)
    assert turn(latchkey, big, small)


@pytest.mark.parametrize("grace_s", [0, 60])
def test_ended_key_is_not_rotated(latchkey: TestApp, grace_s: int) -> None:
    """Neither expired nor rotated out nor revoked keys come back."""
    account = latchkey.account()
    creator = latchkey.key(account)
    expired, revoked, retired = latchkey.key(account, expires_in_s=60), latchkey.key(account), latchkey.key(account)
    revoke.revoke(account.id, revoked.key.id)
    turn(latchkey, creator, retired, grace_s=grace_s)
    latchkey.clock.forward(60)
    for ended in (expired, revoked, retired):
        with pytest.raises(errors.Conflict, match="An expired or revoked key"):
            turn(latchkey, creator, ended)


def test_someone_elses_key_is_not_found(latchkey: TestApp) -> None:
    """Another account's key looks like one that never was."""
    with pytest.raises(errors.NotFound):
        turn(latchkey, latchkey.key(latchkey.account()), latchkey.key(latchkey.account()))


def test_narrowed_key_comes_back_narrow(latchkey: TestApp) -> None:
    """The successor has the scopes that the key has now."""
    account = latchkey.account()
    creator, key = latchkey.key(account), latchkey.key(account)
    change.change_key(account.id, key.key.id, name="Narrow", wanted=["read"])
    new = turn(latchkey, creator, key)
    assert (new.key.name, new.key.scopes) == ("Narrow", {"read"})


def test_rotation_needs_a_place_among_the_live_keys(latchkey: TestApp) -> None:
    """Both live for the grace, so a full account has to make room; without a grace it has room."""
    account = latchkey.account()
    keys = [latchkey.key(account) for _ in range(LIVE_MAX)]
    with pytest.raises(errors.Conflict, match="at most 20 active keys"):
        turn(latchkey, keys[0], keys[1])
    assert turn(latchkey, keys[0], keys[1], grace_s=0)
    with pytest.raises(errors.Conflict, match="at most 20 active keys"):
        turn(latchkey, keys[0], keys[2], grace_s=1)


def test_refused_rotation_leaves_no_trace(latchkey: TestApp) -> None:
    """A key that couldn't be rotated is as it was, and no key was made."""
    account = latchkey.account()
    old = latchkey.key(account)
    turn(latchkey, old, old)
    before = [key.id for key in find.keys_of(account.id)]
    with pytest.raises(errors.Conflict):
        turn(latchkey, old, old, grace_s=0)
    assert [key.id for key in find.keys_of(account.id)] == before
    assert verify(old.secret)


def test_rotated_key_is_deleted_thirty_days_after_its_end(latchkey: TestApp) -> None:
    """And its successor, which has no end, isn't."""
    old = latchkey.key(latchkey.account())
    new = turn(latchkey, old, old, grace_s=60)
    assert stored(old).dies_at == NOON_MS // 1000 + 60 + 30 * 86_400
    assert "dies_at" not in stored(new).attribute_values


@pytest.mark.parametrize("grace_s", [0, 60])
def test_rotation_tells_which_key_follows_which_and_when_the_old_one_ends(latchkey: TestApp, grace_s: int) -> None:
    """Whoever reads Activity, or gets the webhook, knows by when every program must have the new key."""
    account = latchkey.account()
    old = latchkey.key(account)
    latchkey.clock.forward(1)
    new = turn(latchkey, old, old, grace_s=grace_s)
    (event,) = record.newest_first(account.id, 1)
    ends_at = clock.iso(stored(old).ends_at or 0)
    assert (event.type, event.changed.as_dict()) == (
        kinds.KEY_ROTATED,
        {"key": old.key.id, "successor": new.key.id, "ends_at": ends_at},
    )
