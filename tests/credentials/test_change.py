"""Renaming and narrowing: a key never grows."""

from typing import Any

import pytest
from pynamodb.exceptions import TransactWriteError

from chalicelib.core import errors
from chalicelib.credentials import find, revoke
from chalicelib.credentials.change import change_key, narrow_to_read
from chalicelib.credentials.verify import verify
from chalicelib.events import kinds
from chalicelib.limits import stale_marks
from tests.credentials.events import told
from tests.support.harness import NOON_MS, TestApp
from tests.support.interleaving import before, failing, marks_lost, sent

NOTHING: dict[str, Any] = {"name": None, "wanted": None, "on_anomaly": None}


def test_key_is_narrowed(latchkey: TestApp) -> None:
    """From now on it may do less."""
    account = latchkey.account()
    issued = latchkey.key(account)
    change_key(account.id, issued.key.id, name=None, wanted=["read"])
    assert verify(issued.secret).scopes == {"read"}
    assert stale_marks.is_marked(account.id, NOON_MS)


@pytest.mark.parametrize(
    ("change", "kind", "changed"),
    [
        ({"name": "Other"}, kinds.KEY_RENAMED, {"name": "Other"}),
        ({"wanted": ["write", "read"]}, kinds.KEY_NARROWED, {"scopes": "read write"}),
        ({"on_anomaly": "revoke"}, kinds.KEY_POLICY_CHANGED, {"on_anomaly": "revoke"}),
    ],
)
def test_each_change_leaves_the_rest_as_it_is_and_is_told(
    latchkey: TestApp, change: dict[str, Any], kind: str, changed: dict[str, str]
) -> None:
    """What is None stays, and of what stays no event speaks."""
    account = latchkey.account()
    issued = latchkey.key(account)
    key = change_key(account.id, issued.key.id, **NOTHING | change)
    wanted = {"name": "Test key", "wanted": ["read", "write", "keys"], "on_anomaly": None} | change
    assert (key.name, key.scopes, key.on_anomaly) == (wanted["name"], set(wanted["wanted"]), wanted["on_anomaly"])
    assert told(account.id, but=1) == [(kind, {"key": key.id} | changed)]


def test_changes_sent_together_are_all_made(latchkey: TestApp) -> None:
    """Each is told by an event of its own."""
    account = latchkey.account()
    issued = latchkey.key(account)
    key = change_key(account.id, issued.key.id, name="Other", wanted=["read"], on_anomaly="narrow")
    assert (key.name, key.scopes, key.on_anomaly) == ("Other", {"read"}, "narrow")
    assert [kind for kind, _ in told(account.id, but=1)] == [
        kinds.KEY_NARROWED,
        kinds.KEY_POLICY_CHANGED,
        kinds.KEY_RENAMED,
    ]


def test_answer_to_a_change_is_read_consistently(latchkey: TestApp) -> None:
    """It shows what was written, and so does the refusal of a key that was revoked."""
    account = latchkey.account()
    issued = latchkey.key(account)
    with sent() as calls:
        change_key(account.id, issued.key.id, name="Other", wanted=None)
        revoke.revoke(account.id, issued.key.id)
        with pytest.raises(errors.Conflict):
            change_key(account.id, issued.key.id, name="Late", wanted=None)
    reads = [request.get("ConsistentRead") for operation, request in calls if operation == "GetItem"]
    assert reads == [True, True]


@pytest.mark.parametrize("wanted", [["read", "write"], ["write"], ["read", "admin"]])
def test_key_is_never_widened(latchkey: TestApp, wanted: list[str]) -> None:
    """A scope that it doesn't have, or doesn't have any more, is refused by name, and nothing changes."""
    account = latchkey.account()
    issued = latchkey.key(account)
    change_key(account.id, issued.key.id, name=None, wanted=["read"])
    with pytest.raises(errors.InvalidRequest, match=f"this key doesn't have {wanted[-1]}[.]"):
        change_key(account.id, issued.key.id, name="Wide", wanted=wanted)
    key = change_key(account.id, issued.key.id, name="Same", wanted=None)
    assert (key.name, key.scopes) == ("Same", {"read"})


def test_key_that_is_narrowed_at_the_same_moment_is_not_widened(latchkey: TestApp) -> None:
    """What the other took is not given back by this one."""
    account = latchkey.account()
    issued = latchkey.key(account)
    with (
        before("TransactWriteItems", lambda: narrow_to_read(issued.key)),
        pytest.raises(errors.InvalidRequest, match="write"),
    ):
        change_key(account.id, issued.key.id, name=None, wanted=["read", "write"])
    assert verify(issued.secret).scopes == {"read"}


def test_renamed_key_works_on(latchkey: TestApp) -> None:
    """A name is only a name."""
    account = latchkey.account()
    issued = latchkey.key(account)
    assert change_key(account.id, issued.key.id, name="Other", wanted=None).name == "Other"
    assert verify(issued.secret).scopes == issued.key.scopes


def test_revoked_key_is_not_changed(latchkey: TestApp) -> None:
    """What is over stays as it was."""
    account = latchkey.account()
    issued = latchkey.key(account)
    revoke.revoke(account.id, issued.key.id)
    with pytest.raises(errors.Conflict):
        change_key(account.id, issued.key.id, name="Other", wanted=None)


def test_someone_elses_key_is_not_found(latchkey: TestApp) -> None:
    """Another account's key looks like one that never was."""
    issued = latchkey.key(latchkey.account())
    with pytest.raises(errors.NotFound):
        change_key(latchkey.account().id, issued.key.id, name="Mine", wanted=None)


def test_narrowing_that_not_every_function_heard_of_is_to_be_repeated(latchkey: TestApp) -> None:
    """The key is narrowed; a new name needs no mark."""
    account = latchkey.account()
    issued = latchkey.key(account)
    with marks_lost():
        assert change_key(account.id, issued.key.id, name="Other", wanted=None).name == "Other"
        with pytest.raises(errors.Unavailable, match="scopes are removed"):
            change_key(account.id, issued.key.id, name=None, wanted=["read"])
    assert verify(issued.secret).scopes == {"read"}


def test_fault_of_the_database_is_not_taken_for_a_refusal(latchkey: TestApp) -> None:
    """What isn't the caller's to mend is raised as it came."""
    account = latchkey.account()
    issued = latchkey.key(account)
    with failing("TransactWriteItems"), pytest.raises(TransactWriteError):
        change_key(account.id, issued.key.id, name="Other", wanted=None)


@pytest.mark.parametrize("scopes", [("read", "write", "keys"), ("read", "keys")])
def test_key_is_narrowed_to_read_once(latchkey: TestApp, scopes: tuple[str, ...]) -> None:
    """And told of once, however many ask."""
    account = latchkey.account()
    issued = latchkey.key(account, *scopes)
    assert [narrow_to_read(issued.key) for _ in range(2)] == [True, False]
    assert find.owned_key(account.id, issued.key.id).scopes == {"read"}
    assert told(account.id, but=1) == [(kinds.KEY_NARROWED, {"key": issued.key.id, "scopes": "read"})]


def test_key_that_cant_be_narrowed_to_read_stays_as_it_is(latchkey: TestApp) -> None:
    """One without `read`, one with nothing else, and one that is revoked."""
    account = latchkey.account()
    without, alone, revoked = (
        latchkey.key(account, "write", "keys"),
        latchkey.key(account, "read"),
        latchkey.key(account),
    )
    revoke.revoke(account.id, revoked.key.id)
    before_it = told(account.id)
    assert [narrow_to_read(issued.key) for issued in (without, alone, revoked)] == [False] * 3
    assert find.owned_key(account.id, without.key.id).scopes == {"write", "keys"}
    assert told(account.id) == before_it
