"""Policies for unusual activity are applied once, and the user gets an email."""

from pathlib import Path

import pytest
from pynamodb.exceptions import TransactWriteError

from chalicelib.accounts.tables import Account
from chalicelib.core import clock, errors
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.credentials import change, revoke, rotate
from chalicelib.credentials.find import owned_key
from chalicelib.credentials.issue import Issued
from chalicelib.credentials.verify import verify
from chalicelib.detection import leak_policy
from chalicelib.events import kinds, record
from chalicelib.limits import stale_marks
from tests.support.harness import AccountOfTest, TestApp, error_of
from tests.support.mailbox import collect_emails

WHY = "requests from a new network"


def key_with_policy(latchkey: TestApp, on_anomaly: str | None, *scopes: str) -> tuple[AccountOfTest, Issued]:
    """Return a key with a policy, and its account."""
    account = latchkey.account()
    issued = latchkey.key(account, *scopes)
    if on_anomaly is not None:
        change.change_key(account.id, issued.key.id, name=None, wanted=None, on_anomaly=on_anomaly)
    return account, issued


def events_of(account: AccountOfTest) -> list[tuple[str, str]]:
    """Return an account's events with their actors, oldest first, except creations and policies."""
    events = list(record.newest_first(account.id, 50))[::-1]
    arranged = (kinds.KEY_CREATED, kinds.KEY_POLICY_CHANGED, kinds.ACCOUNT_CREATED)
    return [(event.type, event.actor) for event in events if event.type not in arranged]


@pytest.mark.parametrize("on_anomaly", [None, "tell"])
def test_default_policy_shows_notice_only(latchkey: TestApp, tmp_path: Path, on_anomaly: str | None) -> None:
    """By default the key keeps working, a notice is shown with it, and no email is sent."""
    account, issued = key_with_policy(latchkey, on_anomaly)
    with collect_emails(tmp_path / "mail") as box:
        assert leak_policy.act(account.id, issued.key.id, why=WHY) == "told"
        assert box.take() == []
    assert verify(issued.secret).scopes == {"read", "write", "keys"}
    assert owned_key(account.id, issued.key.id).recent_anomaly == WHY
    assert events_of(account) == []


def test_policy_narrow_leaves_read_scope_from_next_request(latchkey: TestApp, tmp_path: Path) -> None:
    """The policy `narrow` leaves only the scope `read`, and the user gets one email."""
    account, issued = key_with_policy(latchkey, "narrow")
    assert latchkey.call("GET", "/v1/keys", issued.secret).status == 200
    with collect_emails(tmp_path / "mail") as box:
        assert [leak_policy.act(account.id, issued.key.id, why=WHY) for _ in range(3)] == ["narrowed"] * 3
        message = box.take_one()
    assert error_of(latchkey.call("GET", "/v1/keys", issued.secret)) == (403, "insufficient_scope")
    assert latchkey.call("GET", "/v1/users/me", issued.secret).status == 200
    assert events_of(account) == [(kinds.KEY_NARROWED, "watch")]
    assert message.to == account.email
    assert WHY in message.text
    assert message.link == f"https://api.example.com/settings/keys/{issued.key.id}"


def test_policy_narrow_revokes_key_without_read_scope(latchkey: TestApp) -> None:
    """The policy `narrow` revokes a key without the scope `read`, because no scope would remain."""
    account, issued = key_with_policy(latchkey, "narrow", "keys")
    assert leak_policy.act(account.id, issued.key.id, why=WHY) == "revoked"


def test_policy_revoke_stops_key_at_next_request(latchkey: TestApp, tmp_path: Path) -> None:
    """The policy `revoke` revokes the key from the next request on, and applying the policy again has no effect."""
    account, issued = key_with_policy(latchkey, "revoke")
    assert latchkey.call("GET", "/v1/users/me", issued.secret).status == 200
    with collect_emails(tmp_path / "mail") as box:
        assert [leak_policy.act(account.id, issued.key.id, why=WHY) for _ in range(3)] == ["revoked"] * 3
        assert box.take_one().subject == "Your API key Test key was revoked"
    assert error_of(latchkey.call("GET", "/v1/users/me", issued.secret)) == (401, "invalid_api_key")
    assert events_of(account) == [(kinds.KEY_REVOKED, "watch")]


def test_caller_may_override_policy(latchkey: TestApp) -> None:
    """A caller that is certain of a leak can override the policy."""
    account, issued = key_with_policy(latchkey, "tell")
    assert leak_policy.act(account.id, issued.key.id, policy="revoke", why=WHY) == "revoked"


def test_concurrent_calls_apply_policy_once(latchkey: TestApp) -> None:
    """Of two concurrent calls only one changes the key. The write of the other call fails, and that call reports no
    change.
    """
    _account, issued = key_with_policy(latchkey, "narrow")
    _other, second = key_with_policy(latchkey, "revoke")
    assert [leak_policy.apply(issued.key, "narrow").changed for _ in range(2)] == [True, False]
    assert [leak_policy.apply(second.key, "revoke").changed for _ in range(2)] == [True, False]


def test_key_reduced_concurrently_does_not_regain_read(latchkey: TestApp) -> None:
    """A key that lost the scope `read` concurrently doesn't get it back."""
    account, issued = key_with_policy(latchkey, "narrow")
    change.change_key(account.id, issued.key.id, name=None, wanted=["keys"])
    assert not change.narrow_to_read(issued.key)
    assert verify(issued.secret).scopes == {"keys"}


def test_inactive_key_is_unchanged(latchkey: TestApp) -> None:
    """An inactive key is left unchanged, and nothing is recorded or emailed."""
    account, issued = key_with_policy(latchkey, "narrow")
    revoke.revoke(account.id, issued.key.id)
    assert leak_policy.act(account.id, issued.key.id, why=WHY) == "revoked"
    expired = latchkey.key(account, expires_in_s=60)
    latchkey.clock.forward(61)
    assert leak_policy.act(account.id, expired.key.id, policy="revoke", why=WHY) == "told"
    assert owned_key(account.id, expired.key.id).recent_anomaly is None
    assert [kind for kind, _ in events_of(account)] == [kinds.KEY_REVOKED]


def test_unknown_key_is_not_found(latchkey: TestApp) -> None:
    """An unknown key, or one of another account, is not found."""
    _account, issued = key_with_policy(latchkey, None)
    with pytest.raises(errors.NotFound):
        leak_policy.act(latchkey.account(name="Bea").id, issued.key.id, why=WHY)


def test_key_of_deleted_account_is_processed_without_email(latchkey: TestApp, tmp_path: Path) -> None:
    """The policy of a key whose account was deleted is applied without an email."""
    account, issued = key_with_policy(latchkey, "revoke")
    Account(account.id).update(actions=[Account.listed.remove()])
    with collect_emails(tmp_path / "mail") as box:
        assert leak_policy.act(account.id, issued.key.id, why=WHY) == "revoked"
        assert box.take() == []


def test_lost_mark_does_not_undo_change(latchkey: TestApp, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """If the invalidation mark can't be set, the key is changed all the same and the user emailed."""
    account, issued = key_with_policy(latchkey, "revoke")
    monkeypatch.setattr(stale_marks, "mark", lambda _subject, _tiers: False)
    with collect_emails(tmp_path / "mail") as box:
        assert leak_policy.act(account.id, issued.key.id, why=WHY) == "revoked"
        assert len(box.take()) == 1
    assert kinds.KEY_REVOKED in kinds.INVALIDATE_DECISIONS


def test_database_error_is_raised(latchkey: TestApp) -> None:
    """A database error is raised unchanged, not treated as a failed condition."""
    _account, issued = key_with_policy(latchkey, "narrow")
    dynamodb.call("DeleteTable", {"TableName": "latchkey-test-events"})
    for chosen_policy in ("narrow", "revoke"):
        with pytest.raises(TransactWriteError):
            leak_policy.apply(issued.key, chosen_policy)


def test_notice_is_shown_for_seven_days(latchkey: TestApp) -> None:
    """A notice is shown for seven days and then hidden."""
    account, issued = key_with_policy(latchkey, None)
    leak_policy.act(account.id, issued.key.id, why=WHY)
    latchkey.clock.forward(7 * clock.DAY_S - 1)
    assert owned_key(account.id, issued.key.id).recent_anomaly == WHY
    latchkey.clock.forward(1)
    assert owned_key(account.id, issued.key.id).recent_anomaly is None


def test_rotated_key_keeps_policy(latchkey: TestApp) -> None:
    """The successor of a rotated key has the same policy."""
    account, issued = key_with_policy(latchkey, "revoke")
    successor = rotate.rotate(verify(issued.secret), issued.key.id, 60)
    assert owned_key(account.id, successor.key.id).on_anomaly == "revoke"
