"""Leak reports that are repeated, concurrent or very long."""

from pathlib import Path

import pytest

from chalicelib.core import clock, errors, randomness
from chalicelib.credentials.tables import Credential
from chalicelib.credentials.verify import verify
from chalicelib.detection import leak_policy, leaks
from chalicelib.events import kinds
from tests.detection.leak_events import leak_events
from tests.detection.planted import lose_writes
from tests.detection.signing import alert, report
from tests.oauth.flow import App, User
from tests.support.harness import TestApp, error_of
from tests.support.mailbox import collect_emails


def test_repeated_report_is_recorded_once(latchkey: TestApp, tmp_path: Path) -> None:
    """A repeated report gets the same response, without another event or email."""
    account = latchkey.account()
    issued = latchkey.key(account)
    with collect_emails(tmp_path / "mail") as box:
        first = report(latchkey, alert(issued.secret), alert(issued.secret, url="")).json()
        assert report(latchkey, alert(issued.secret)).json() == first
        assert len(first) == 1
        assert len(box.take()) == 1
    assert len(leak_events(account)) == 1


def test_concurrent_reports_are_recorded_once(latchkey: TestApp, tmp_path: Path) -> None:
    """Of two concurrent reports one is recorded, because the write of the other fails."""
    account = latchkey.account()
    issued = latchkey.key(account)
    seen = leaks.Alert(issued.secret, "key")
    before = Credential.found(issued.key.digest)
    assert before is not None
    with collect_emails(tmp_path / "mail") as box:
        for _ in range(2):
            leaks._record_once(before, seen, leak_policy.apply(before, "revoke"))
        assert len(box.take()) == 1
    assert len(leak_events(account)) == 1


@pytest.mark.parametrize("is_token", [False, True])
def test_repeated_report_after_failed_event_reports_revocation(
    latchkey: TestApp, ada: User, app: App, tmp_path: Path, is_token: bool
) -> None:
    """If the event couldn't be recorded, a repeated report records the revocation."""
    secret = ada.grant(app)[0] if is_token else latchkey.key(ada.account).secret
    with collect_emails(tmp_path / "mail") as box:
        with lose_writes(kinds.KEY_LEAKED):
            assert report(latchkey, alert(secret)).status == 503
        latchkey.clock.forward(3_600)
        assert report(latchkey, alert(secret)).status == 200
        email = box.take_one()
    assert "It was revoked" in email.text
    assert [event["changed"]["acted"] for event in leak_events(ada.account)] == ["revoked"]


def test_report_beyond_time_limit_gets_503(latchkey: TestApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report that takes too long gets a 503, and a repetition processes the rest."""
    keys = [latchkey.key(latchkey.account()) for _ in range(3)]
    labelled = leaks._process_secret

    def slowly(seen: leaks.Alert) -> str | None:
        latchkey.clock.forward(15)
        return labelled(seen)

    monkeypatch.setattr(leaks, "_process_secret", slowly)
    response = report(latchkey, *(alert(key.secret) for key in keys))
    assert error_of(response) == (503, "unavailable")
    assert [_works(key.secret) for key in keys] == [False, False, True]


def _works(secret: str) -> bool:
    try:
        verify(secret)
    except errors.InvalidApiKey:
        return False
    return True


def test_malformed_alerts_cost_no_reads(latchkey: TestApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report with a thousand malformed secrets makes no database call."""
    monkeypatch.setattr(Credential, "found", None)
    guesses = [alert(f"lk_live_{randomness.base62(30)}000000") for _ in range(1_000)]
    response = report(latchkey, *guesses)
    assert (response.status, len(response.json())) == (200, 1_000)
    assert clock.now_ms() == latchkey.clock.now_ms
