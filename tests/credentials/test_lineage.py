"""What two keys of one lineage know of each other, and what a rotation does that something else gets ahead of."""

import pytest

from chalicelib.accounts.tables import Account
from chalicelib.core import errors
from chalicelib.credentials import change, find, revoke
from chalicelib.credentials.issue import Issued
from chalicelib.credentials.key_limit import LIVE_MAX
from chalicelib.credentials.rotate import rotate
from chalicelib.credentials.tables import Credential
from chalicelib.credentials.verify import verify
from chalicelib.limits import stale_marks
from tests.support.harness import NOON_MS, TestApp
from tests.support.interleaving import after, before, marks_lost, sent

GRACE_S = 60


def turn(key: Issued, grace_s: int = GRACE_S, *, by: Issued | None = None) -> Issued:
    """Rotate `key` with itself, or with another."""
    return rotate(verify((by or key).secret), key.key.id, grace_s)


def stored(issued: Issued) -> Credential:
    """Return a key as it stands."""
    return find.owned_key(issued.key.account_id, issued.key.id)


def neighbours(issued: Issued) -> set[str]:
    """Return the names of what a key knows of those before and after it."""
    return {name for name in stored(issued).attribute_values if name.startswith(("predecessor", "successor"))}


def list_of(issued: Issued) -> dict[str, int]:
    """Return its account's list of live keys."""
    ends: dict[str, int] = Account.get(issued.key.account_id).live_keys.as_dict()
    return ends


@pytest.mark.parametrize("grace_s", [0, GRACE_S])
@pytest.mark.parametrize("expires_in_s", [None, 3_600])
def test_both_keys_know_each_other_and_until_when(latchkey: TestApp, grace_s: int, expires_in_s: int | None) -> None:
    """Without a grace the old one has ended for every function, also one whose clock is behind."""
    account = latchkey.account()
    creator, old = latchkey.key(account), latchkey.key(account, expires_in_s=expires_in_s)
    change.change_key(account.id, old.key.id, name=None, wanted=None, on_anomaly="narrow")
    new = turn(old, grace_s, by=creator)
    left, came = stored(old), stored(new)
    retires_at = NOON_MS + (grace_s * 1000 if grace_s else -stale_marks.CLOCK_SKEW_S * 1000)
    expires_at = NOON_MS + expires_in_s * 1000 if expires_in_s else 0
    assert (left.retires_at, left.dies_at) == (retires_at, retires_at // 1000 + 30 * 86_400)
    assert (left.successor_id, left.successor_digest) == (new.key.id, new.key.digest)
    assert left.successor_ends_at == expires_at
    assert (came.predecessor_digest, came.predecessor_ends_at) == (old.key.digest, retires_at)
    assert (came.lineage, came.on_anomaly, came.made_by) == (old.key.id, "narrow", creator.key.id)
    assert (came.expires_at or 0, "retires_at" in came.attribute_values) == (expires_at, False)
    kept = {old.key.id: retires_at} if grace_s else {}
    assert list_of(old) == {creator.key.id: 0, new.key.id: expires_at} | kept


def test_revoked_predecessor_leaves_no_trace_on_its_successor(latchkey: TestApp) -> None:
    """Nor the other way round: what is left is a key as any other."""
    account = latchkey.account()
    first, second = latchkey.key(account), latchkey.key(account)
    new = turn(first)
    revoke.revoke(account.id, first.key.id)
    assert neighbours(new) == set()
    lost = turn(second)
    revoke.revoke(account.id, lost.key.id)
    assert neighbours(second) == set()
    assert stored(second).retires_at == NOON_MS + GRACE_S * 1000


def test_neighbour_that_has_ended_is_left_as_it_is(latchkey: TestApp) -> None:
    """From the very millisecond of its end on."""
    account = latchkey.account()
    first, second = latchkey.key(account), latchkey.key(account)
    new, other = turn(first), turn(second)
    latchkey.clock.forward(GRACE_S)
    revoke.revoke(account.id, new.key.id)
    assert stored(first).successor_id == new.key.id
    revoke.revoke(account.id, second.key.id)
    assert stored(other).predecessor_digest == second.key.digest


def test_key_whose_grace_is_over_is_not_rotated_though_its_successor_is_gone(latchkey: TestApp) -> None:
    """Until then it was."""
    account = latchkey.account()
    creator, old = latchkey.key(account), latchkey.key(account)
    revoke.revoke(account.id, turn(old, by=creator).key.id)
    latchkey.clock.now_ms += GRACE_S * 1000 - 1
    revoke.revoke(account.id, turn(old, by=creator).key.id)
    latchkey.clock.now_ms += 1
    with pytest.raises(errors.Conflict, match="An expired or revoked key"):
        turn(old, by=creator)


def test_rotation_overwrites_nothing(latchkey: TestApp) -> None:
    """The successor is put where nothing stood, and the old key's write says what it was refused for."""
    key = latchkey.key(latchkey.account())
    with sent() as calls:
        turn(key)
    writes = [write for _, request in calls for write in request.get("TransactItems", ())]
    puts = [write["Put"] for write in writes if "Put" in write]
    assert len(puts) == 2
    assert all("attribute_not_exists" in put.get("ConditionExpression", "") for put in puts)


def test_rotation_that_not_every_function_heard_of_says_so(latchkey: TestApp) -> None:
    """No error: the new secret is in this answer and nowhere else."""
    account = latchkey.account()
    creator, old, other = latchkey.key(account), latchkey.key(account), latchkey.key(account)
    assert turn(old, by=creator).told
    assert stale_marks.is_marked(account.id, NOON_MS)
    with marks_lost():
        assert not turn(other, by=creator).told


def test_rotation_reads_again_what_another_has_narrowed(latchkey: TestApp) -> None:
    """The successor has what the key has now."""
    account = latchkey.account()
    creator, old = latchkey.key(account), latchkey.key(account)
    with before("TransactWriteItems", lambda: change.narrow_to_read(old.key)):
        assert turn(old, by=creator).key.scopes == {"read"}


def test_rotation_that_another_narrows_at_its_predecessors_end_goes_on(latchkey: TestApp) -> None:
    """That one has ended, so it stands in nobody's way, and is no reason to refuse."""
    account = latchkey.account()
    creator, first = latchkey.key(account), latchkey.key(account)
    old = turn(first, by=creator)
    latchkey.clock.forward(GRACE_S)
    with before("TransactWriteItems", lambda: change.narrow_to_read(old.key)):
        assert turn(old, by=creator).key.scopes == {"read"}


def test_rotation_that_another_narrows_at_its_successors_end_goes_on(latchkey: TestApp) -> None:
    """As its short-lived creator did, it ended by itself, and is no reason to refuse."""
    account = latchkey.account()
    creator, brief, old = latchkey.key(account), latchkey.key(account, expires_in_s=GRACE_S), latchkey.key(account)
    turn(old, GRACE_S + 1, by=brief)
    latchkey.clock.forward(GRACE_S)
    with before("TransactWriteItems", lambda: change.narrow_to_read(old.key)):
        assert turn(old, by=creator).key.scopes == {"read"}


def test_rotation_that_another_got_ahead_of_names_its_successor(latchkey: TestApp) -> None:
    """Of two at once one makes a key."""
    account = latchkey.account()
    creator, old = latchkey.key(account), latchkey.key(account)
    made: list[Issued] = []
    with before("TransactWriteItems", lambda: made.append(turn(old, by=creator))), pytest.raises(errors.Conflict) as no:
        turn(old, by=creator)
    assert made[0].key.id in str(no.value)
    assert len(list(find.keys_of(account.id))) == 3


def test_rotation_decided_before_the_grace_began_passes_on_the_rest_of_it(latchkey: TestApp) -> None:
    """Another began it, and lost its successor, between this one's reading and writing."""
    account = latchkey.account()
    creator, old = latchkey.key(account), latchkey.key(account)
    with before("TransactWriteItems", lambda: revoke.revoke(account.id, turn(old, by=creator).key.id)):
        assert turn(old, by=creator).key.expires_at == NOON_MS + GRACE_S * 1000


def test_revocation_that_gets_ahead_refuses_the_rotation(latchkey: TestApp) -> None:
    """No successor of a revoked key."""
    account = latchkey.account()
    creator, old = latchkey.key(account), latchkey.key(account)
    with (
        before("TransactWriteItems", lambda: revoke.revoke(account.id, old.key.id)),
        pytest.raises(errors.Conflict, match="An expired or revoked key"),
    ):
        turn(old, by=creator)
    assert len(list(find.keys_of(account.id))) == 2


def test_key_that_ends_while_a_place_is_made_for_its_successor_is_refused_as_ended(latchkey: TestApp) -> None:
    """The account is full, so it is tried twice, and at the second time the key is among those that ended."""
    account = latchkey.account()
    creator, old = latchkey.key(account), latchkey.key(account, expires_in_s=60)
    for _ in range(LIVE_MAX - 2):
        latchkey.key(account)
    with (
        after("TransactWriteItems", lambda: latchkey.clock.forward(60)),
        pytest.raises(errors.Conflict, match="An expired or revoked key"),
    ):
        turn(old, by=creator)


def test_successor_takes_the_place_of_a_key_that_ended(latchkey: TestApp) -> None:
    """One that nobody has taken out of the list yet."""
    account = latchkey.account()
    creator, old = latchkey.key(account), latchkey.key(account)
    for _ in range(LIVE_MAX - 2):
        latchkey.key(account, expires_in_s=60)
    latchkey.clock.forward(60)
    new = turn(old, by=creator)
    assert list_of(old).keys() == {creator.key.id, old.key.id, new.key.id}
