"""What is done with a key that behaves strangely: what its account chose, once, and told to its person."""

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
from tests.support.harness import TestApp, refusal
from tests.support.mailbox import kept_in

WHY = "requests from a new network"


def chosen(latchkey: TestApp, on_anomaly: str | None, *scopes: str) -> tuple[Account, Issued]:
    """Return a key for which its account chose a policy."""
    account = latchkey.account()
    issued = latchkey.key(account, *scopes)
    if on_anomaly is not None:
        change.change_key(account.id, issued.key.id, name=None, wanted=None, on_anomaly=on_anomaly)
    return account, issued


def happened(account: Account) -> list[tuple[str, str]]:
    """Return what happened to an account, and by whom, oldest first, but for the making of keys and policies."""
    events = list(record.newest_first(account.id, 50))[::-1]
    arranged = (kinds.KEY_CREATED, kinds.KEY_POLICY_CHANGED, kinds.ACCOUNT_CREATED)
    return [(event.type, event.actor) for event in events if event.type not in arranged]


@pytest.mark.parametrize("on_anomaly", [None, "tell"])
def test_account_that_chose_nothing_is_told(latchkey: TestApp, tmp_path: Path, on_anomaly: str | None) -> None:
    """The key goes on as before, and no mail is sent: it stands beside the key."""
    account, issued = chosen(latchkey, on_anomaly)
    with kept_in(tmp_path / "mail") as box:
        assert leak_policy.act(account.id, issued.key.id, why=WHY) == "told"
        assert box.take() == []
    assert verify(issued.secret).scopes == {"read", "write", "keys"}
    assert owned_key(account.id, issued.key.id).unusual_of_late == WHY
    assert happened(account) == []


def test_narrowed_key_can_only_read_from_the_next_request_on(latchkey: TestApp, tmp_path: Path) -> None:
    """The watch is named as who did it, and the person hears of it once."""
    account, issued = chosen(latchkey, "narrow")
    assert latchkey.call("GET", "/v1/keys", issued.secret).status == 200
    with kept_in(tmp_path / "mail") as box:
        assert [leak_policy.act(account.id, issued.key.id, why=WHY) for _ in range(3)] == ["narrowed"] * 3
        letter = box.take_one()
    assert refusal(latchkey.call("GET", "/v1/keys", issued.secret)) == (403, "insufficient_scope")
    assert latchkey.call("GET", "/v1/users/me", issued.secret).status == 200
    assert happened(account) == [(kinds.KEY_NARROWED, "watch")]
    assert letter.to == account.email
    assert WHY in letter.text
    assert letter.link == f"https://api.example.com/settings/keys/{issued.key.id}"


def test_key_that_may_not_read_is_revoked_instead_of_narrowed(latchkey: TestApp) -> None:
    """There is nothing to narrow it to, and its account wanted it weaker."""
    account, issued = chosen(latchkey, "narrow", "keys")
    assert leak_policy.act(account.id, issued.key.id, why=WHY) == "revoked"


def test_revoked_key_stops_at_the_next_request(latchkey: TestApp, tmp_path: Path) -> None:
    """Once: repeating it records and mails nothing more."""
    account, issued = chosen(latchkey, "revoke")
    assert latchkey.call("GET", "/v1/users/me", issued.secret).status == 200
    with kept_in(tmp_path / "mail") as box:
        assert [leak_policy.act(account.id, issued.key.id, why=WHY) for _ in range(3)] == ["revoked"] * 3
        assert box.take_one().subject == "Your API key Test key was revoked"
    assert refusal(latchkey.call("GET", "/v1/users/me", issued.secret)) == (401, "invalid_api_key")
    assert happened(account) == [(kinds.KEY_REVOKED, "watch")]


def test_whoever_acts_may_name_another_policy(latchkey: TestApp) -> None:
    """For what is certain, whatever was chosen for guesses."""
    account, issued = chosen(latchkey, "tell")
    assert leak_policy.act(account.id, issued.key.id, policy="revoke", why=WHY) == "revoked"


def test_of_two_that_act_at_once_one_did_it(latchkey: TestApp) -> None:
    """The loser has read the key as it was before: its write is refused, and it tells nobody."""
    _account, issued = chosen(latchkey, "narrow")
    _other, second = chosen(latchkey, "revoke")
    assert [leak_policy.apply(issued.key, "narrow").changed for _ in range(2)] == [True, False]
    assert [leak_policy.apply(second.key, "revoke").changed for _ in range(2)] == [True, False]


def test_key_narrowed_by_hand_is_not_given_read_back(latchkey: TestApp) -> None:
    """A key that lost `read` after it was looked at stays without it."""
    account, issued = chosen(latchkey, "narrow")
    change.change_key(account.id, issued.key.id, name=None, wanted=["keys"])
    assert not change.narrow_to_read(issued.key)
    assert verify(issued.secret).scopes == {"keys"}


def test_ended_key_is_left_as_it_is(latchkey: TestApp) -> None:
    """It says how it stands, and nothing is noted, recorded or mailed."""
    account, issued = chosen(latchkey, "narrow")
    revoke.revoke(account.id, issued.key.id)
    assert leak_policy.act(account.id, issued.key.id, why=WHY) == "revoked"
    expired = latchkey.key(account, expires_in_s=60)
    latchkey.clock.forward(61)
    assert leak_policy.act(account.id, expired.key.id, policy="revoke", why=WHY) == "told"
    assert owned_key(account.id, expired.key.id).unusual_of_late is None
    assert [kind for kind, _ in happened(account)] == [kinds.KEY_REVOKED]


def test_unknown_key_is_not_found(latchkey: TestApp) -> None:
    """Someone else's as little as one that never was."""
    _account, issued = chosen(latchkey, None)
    with pytest.raises(errors.NotFound):
        leak_policy.act(latchkey.account(name="Bea").id, issued.key.id, why=WHY)


def test_key_of_a_deleted_account_is_acted_on_without_mail(latchkey: TestApp, tmp_path: Path) -> None:
    """Nobody is left to write to."""
    account, issued = chosen(latchkey, "revoke")
    Account(account.id).update(actions=[Account.listed.remove()])
    with kept_in(tmp_path / "mail") as box:
        assert leak_policy.act(account.id, issued.key.id, why=WHY) == "revoked"
        assert box.take() == []


def test_lost_mark_does_not_undo_what_was_done(
    latchkey: TestApp, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The stream sets it again; the person is told all the same."""
    account, issued = chosen(latchkey, "revoke")
    monkeypatch.setattr(stale_marks, "mark", lambda _subject: False)
    with kept_in(tmp_path / "mail") as box:
        assert leak_policy.act(account.id, issued.key.id, why=WHY) == "revoked"
        assert len(box.take()) == 1
    assert kinds.KEY_REVOKED in kinds.INVALIDATE_DECISIONS


def test_fault_of_the_database_is_no_no(latchkey: TestApp) -> None:
    """What can't be written is raised, not taken for done by somebody else."""
    _account, issued = chosen(latchkey, "narrow")
    dynamodb.call("DeleteTable", {"TableName": "latchkey-test-events"})
    for chosen_policy in ("narrow", "revoke"):
        with pytest.raises(TransactWriteError):
            leak_policy.apply(issued.key, chosen_policy)


def test_what_was_noticed_is_shown_for_seven_days(latchkey: TestApp) -> None:
    """Then it is old."""
    account, issued = chosen(latchkey, None)
    leak_policy.act(account.id, issued.key.id, why=WHY)
    latchkey.clock.forward(7 * clock.DAY_S - 1)
    assert owned_key(account.id, issued.key.id).unusual_of_late == WHY
    latchkey.clock.forward(1)
    assert owned_key(account.id, issued.key.id).unusual_of_late is None


def test_rotated_key_hands_its_policy_on(latchkey: TestApp) -> None:
    """What was chosen for a program's key holds for the one that takes its place."""
    account, issued = chosen(latchkey, "revoke")
    successor = rotate.rotate(verify(issued.secret), issued.key.id, 60)
    assert owned_key(account.id, successor.key.id).on_anomaly == "revoke"
