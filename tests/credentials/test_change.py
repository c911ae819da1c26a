"""A key can be renamed and lose scopes, but never gain scopes."""

from typing import Any

import pytest
from pynamodb.exceptions import TransactWriteError

from chalicelib.accounts import invalidation
from chalicelib.core import errors
from chalicelib.credentials import find, revoke
from chalicelib.credentials.change import change_key, narrow_to_read
from chalicelib.credentials.verify import verify
from chalicelib.events import kinds
from tests.credentials.events import recorded_events
from tests.support.harness import START_MS, TestApp
from tests.support.interleaving import fail_calls, fail_marks, record_calls, run_before

NOTHING: dict[str, Any] = {"name": None, "wanted": None, "on_anomaly": None}


def test_removed_scope_is_not_granted(latchkey: TestApp) -> None:
    """A key that lost a scope has only the remaining scopes, and the change sets its account's invalidation mark."""
    account = latchkey.account()
    issued = latchkey.key(account)
    change_key(account.id, issued.key.id, name=None, wanted=["read"])
    assert verify(issued.secret).scopes == {"read"}
    assert invalidation.is_marked(account.id, START_MS)


@pytest.mark.parametrize(
    ("change", "kind", "changed"),
    [
        ({"name": "Other"}, kinds.KEY_RENAMED, {"name": "Other"}),
        ({"wanted": ["write", "read"]}, kinds.KEY_NARROWED, {"scopes": "read write"}),
        ({"on_anomaly": "revoke"}, kinds.KEY_POLICY_CHANGED, {"on_anomaly": "revoke"}),
    ],
)
def test_each_change_leaves_the_rest_unchanged_and_is_recorded(
    latchkey: TestApp, change: dict[str, Any], kind: str, changed: dict[str, str]
) -> None:
    """A field that is None stays unchanged and is in no event."""
    account = latchkey.account()
    issued = latchkey.key(account)
    key = change_key(account.id, issued.key.id, **NOTHING | change)
    wanted = {"name": "Test key", "wanted": ["read", "write", "keys"], "on_anomaly": None} | change
    assert (key.name, key.scopes, key.on_anomaly) == (wanted["name"], set(wanted["wanted"]), wanted["on_anomaly"])
    assert recorded_events(account.id, but=1) == [(kind, {"key": key.id} | changed)]


def test_changes_of_one_call_are_all_applied(latchkey: TestApp) -> None:
    """All changes of one call are applied, and each is recorded as an event of its own."""
    account = latchkey.account()
    issued = latchkey.key(account)
    key = change_key(account.id, issued.key.id, name="Other", wanted=["read"], on_anomaly="narrow")
    assert (key.name, key.scopes, key.on_anomaly) == ("Other", {"read"}, "narrow")
    assert [kind for kind, _ in recorded_events(account.id, but=1)] == [
        kinds.KEY_NARROWED,
        kinds.KEY_POLICY_CHANGED,
        kinds.KEY_RENAMED,
    ]


def test_changed_key_is_read_consistently(latchkey: TestApp) -> None:
    """After a change the key is read consistently, so the result is current."""
    account = latchkey.account()
    issued = latchkey.key(account)
    with record_calls() as calls:
        change_key(account.id, issued.key.id, name="Other", wanted=None)
        revoke.revoke(account.id, issued.key.id)
        with pytest.raises(errors.Conflict):
            change_key(account.id, issued.key.id, name="Late", wanted=None)
    reads = [
        request.get("ConsistentRead")
        for operation, request in calls
        if operation == "GetItem" and request["TableName"].endswith("-credentials")
    ]
    assert reads == [True, True]


@pytest.mark.parametrize("wanted", [["read", "write"], ["write"], ["read", "admin"]])
def test_scopes_are_never_added(latchkey: TestApp, wanted: list[str]) -> None:
    """Adding a scope is an error that names the scope, and nothing changes."""
    account = latchkey.account()
    issued = latchkey.key(account)
    change_key(account.id, issued.key.id, name=None, wanted=["read"])
    with pytest.raises(errors.InvalidRequest, match=f"this key doesn't have {wanted[-1]}[.]"):
        change_key(account.id, issued.key.id, name="Wide", wanted=wanted)
    key = change_key(account.id, issued.key.id, name="Same", wanted=None)
    assert (key.name, key.scopes) == ("Same", {"read"})


def test_concurrently_removed_scope_is_not_restored(latchkey: TestApp) -> None:
    """A change that races with the removal of a scope fails, so that the scope isn't restored."""
    account = latchkey.account()
    issued = latchkey.key(account)
    with (
        run_before("TransactWriteItems", lambda: narrow_to_read(issued.key)),
        pytest.raises(errors.InvalidRequest, match="write"),
    ):
        change_key(account.id, issued.key.id, name=None, wanted=["read", "write"])
    assert verify(issued.secret).scopes == {"read"}


def test_renamed_key_keeps_working(latchkey: TestApp) -> None:
    """A renamed key keeps its scopes and continues to work."""
    account = latchkey.account()
    issued = latchkey.key(account)
    assert change_key(account.id, issued.key.id, name="Other", wanted=None).name == "Other"
    assert verify(issued.secret).scopes == issued.key.scopes


def test_revoked_key_is_not_changed(latchkey: TestApp) -> None:
    """A change of a revoked key raises Conflict."""
    account = latchkey.account()
    issued = latchkey.key(account)
    revoke.revoke(account.id, issued.key.id)
    with pytest.raises(errors.Conflict):
        change_key(account.id, issued.key.id, name="Other", wanted=None)


def test_key_of_another_account_is_not_found(latchkey: TestApp) -> None:
    """A key of another account is not found, as if it didn't exist."""
    issued = latchkey.key(latchkey.account())
    with pytest.raises(errors.NotFound):
        change_key(latchkey.account().id, issued.key.id, name="Mine", wanted=None)


def test_removal_of_scopes_with_a_lost_mark_raises_unavailable(latchkey: TestApp) -> None:
    """If the invalidation mark can't be set, scopes are removed and Unavailable is raised; a new name needs no mark."""
    account = latchkey.account()
    issued = latchkey.key(account)
    with fail_marks():
        assert change_key(account.id, issued.key.id, name="Other", wanted=None).name == "Other"
        with pytest.raises(errors.Unavailable, match="scopes are removed"):
            change_key(account.id, issued.key.id, name=None, wanted=["read"])
    assert verify(issued.secret).scopes == {"read"}


def test_database_error_of_a_change_is_raised(latchkey: TestApp) -> None:
    """A database error during a change is raised unchanged, not reported as a rejected change."""
    account = latchkey.account()
    issued = latchkey.key(account)
    with fail_calls("TransactWriteItems"), pytest.raises(TransactWriteError):
        change_key(account.id, issued.key.id, name="Other", wanted=None)


@pytest.mark.parametrize("scopes", [("read", "write", "keys"), ("read", "keys")])
def test_key_is_reduced_to_read_once(latchkey: TestApp, scopes: tuple[str, ...]) -> None:
    """Reducing a key to the scope `read` a second time changes nothing and records no event."""
    account = latchkey.account()
    issued = latchkey.key(account, *scopes)
    assert [narrow_to_read(issued.key) for _ in range(2)] == [True, False]
    assert find.owned_key(account.id, issued.key.id).scopes == {"read"}
    assert recorded_events(account.id, but=1) == [(kinds.KEY_NARROWED, {"key": issued.key.id, "scopes": "read"})]


def test_key_that_cant_be_reduced_to_read_is_unchanged(latchkey: TestApp) -> None:
    """A reduction to `read` doesn't change a revoked key, a key without `read`, or one with only `read`."""
    account = latchkey.account()
    without, alone, revoked = (
        latchkey.key(account, "write", "keys"),
        latchkey.key(account, "read"),
        latchkey.key(account),
    )
    revoke.revoke(account.id, revoked.key.id)
    before_it = recorded_events(account.id)
    assert [narrow_to_read(issued.key) for issued in (without, alone, revoked)] == [False] * 3
    assert find.owned_key(account.id, without.key.id).scopes == {"write", "keys"}
    assert recorded_events(account.id) == before_it
