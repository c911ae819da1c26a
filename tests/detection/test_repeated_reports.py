"""Repeated, concurrent and very long leak reports."""

from pathlib import Path

import pytest

from chalicelib.core import clock, errors, randomness
from chalicelib.credentials.tables import Credential
from chalicelib.credentials.verify import verify
from chalicelib.detection import leak_policy, leaks
from chalicelib.events import kinds
from tests.detection.leak_events import leak_events
from tests.detection.planted import writes_lost
from tests.detection.signing import alert, report
from tests.oauth.flow import App, User
from tests.support.harness import TestApp, refusal
from tests.support.mailbox import kept_in


def test_repeated_report_is_recorded_once(latchkey: TestApp, tmp_path: Path) -> None:
    """The response is the same, without another event or email."""
    account = latchkey.account()
    issued = latchkey.key(account)
    with kept_in(tmp_path / "mail") as box:
        first = report(latchkey, alert(issued.secret), alert(issued.secret, url="")).json()
        assert report(latchkey, alert(issued.secret)).json() == first
        assert len(first) == 1
        assert len(box.take()) == 1
    assert len(leak_events(account)) == 1


def test_concurrent_reports_are_recorded_once(latchkey: TestApp, tmp_path: Path) -> None:
    """The write of the loser fails."""
    account = latchkey.account()
    issued = latchkey.key(account)
    seen = leaks.Alert(issued.secret, "key")
    before = Credential.found(issued.key.digest)
    assert before is not None
    with kept_in(tmp_path / "mail") as box:
        for _ in range(2):
            leaks._record_once(before, seen, leak_policy.apply(before, "revoke"))
        assert len(box.take()) == 1
    assert len(leak_events(account)) == 1


@pytest.mark.parametrize("is_token", [False, True])
def test_repeated_report_after_failed_event_reports_revocation(
    latchkey: TestApp, ada: User, app: App, tmp_path: Path, is_token: bool
) -> None:
    """The first report revoked the secret, so it does not count as inactive before."""
    secret = ada.grant(app)[0] if is_token else latchkey.key(ada.account).secret
    with kept_in(tmp_path / "mail") as box:
        with writes_lost(kinds.KEY_LEAKED):
            assert report(latchkey, alert(secret)).status == 503
        latchkey.clock.forward(3_600)
        assert report(latchkey, alert(secret)).status == 200
        email = box.take_one()
    assert "It was revoked" in email.text
    assert [event["changed"]["acted"] for event in leak_events(ada.account)] == ["revoked"]


def test_report_beyond_time_limit_gets_503(latchkey: TestApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processed alerts stay processed, so that repetitions complete."""
    keys = [latchkey.key(latchkey.account()) for _ in range(3)]
    labelled = leaks._process_secret

    def slowly(seen: leaks.Alert) -> str | None:
        latchkey.clock.forward(15)
        return labelled(seen)

    monkeypatch.setattr(leaks, "_process_secret", slowly)
    response = report(latchkey, *(alert(key.secret) for key in keys))
    assert refusal(response) == (503, "unavailable")
    assert [_works(key.secret) for key in keys] == [False, False, True]


def _works(secret: str) -> bool:
    try:
        verify(secret)
    except errors.InvalidApiKey:
        return False
    return True


def test_malformed_alerts_cost_no_reads(latchkey: TestApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand guesses are labelled without a database call."""
    monkeypatch.setattr(Credential, "found", None)
    guesses = [alert(f"lk_live_{randomness.base62(30)}000000") for _ in range(1_000)]
    response = report(latchkey, *guesses)
    assert (response.status, len(response.json())) == (200, 1_000)
    assert clock.now_ms() == latchkey.clock.now_ms
