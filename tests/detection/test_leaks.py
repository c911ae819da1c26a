"""Leaked secrets are identified, processed and recorded once, and never stored."""

import hashlib
import io
import logging
from pathlib import Path
from typing import Any

import pytest

from chalicelib.accounts.tables import Account
from chalicelib.core import clock, errors, randomness, secrets, telemetry
from chalicelib.credentials import change, revoke
from chalicelib.credentials.find import owned_key
from chalicelib.credentials.tables import Credential
from chalicelib.credentials.verify import verify
from chalicelib.detection import leak_policy, leaks
from chalicelib.events import kinds, record
from tests.api.test_leaks import dump_of_all_tables
from tests.detection.planted import writes_lost
from tests.detection.signing import PUBLIC_PLACE, Signer, alert, known, report
from tests.oauth.flow import App, Person
from tests.support.harness import TestApp, refusal
from tests.support.mailbox import kept_in


def leak_events(account: Account) -> list[dict[str, Any]]:
    """Return the leak events of an account, newest first."""
    return [record.shown(event) for event in record.newest_first(account.id, 50, kind=kinds.KEY_LEAKED)]


def unknown() -> str:
    """Return a well-formed secret that was never issued."""
    return secrets.mint("test")


def test_public_leak_revokes_key_at_next_request(latchkey: TestApp, tmp_path: Path) -> None:
    """GitHub gets a true positive, the owner an email with the location, and the account an event."""
    github = Signer("one")
    account = latchkey.account()
    issued = latchkey.key(account)
    assert latchkey.call("GET", "/v1/users/me", issued.secret).status == 200
    with known(tmp_path, github), kept_in(tmp_path / "mail") as box:
        answer = report(latchkey, alert(issued.secret), signer=github)
        letter = box.take_one()
    assert answer.json() == [
        {
            "token_hash": hashlib.sha256(issued.secret.encode()).hexdigest(),
            "token_type": "latchkey_api_key",
            "label": "true_positive",
        }
    ]
    assert refusal(latchkey.call("GET", "/v1/users/me", issued.secret)) == (401, "invalid_api_key")
    (event,) = leak_events(account)
    assert (event["actor"], event["source_ip"]) == ("watch", None)
    assert event["changed"] == {
        "key": issued.key.id,
        "name": "Test key",
        "source": "commit",
        "url": PUBLIC_PLACE,
        "public": "yes",
        "acted": "revoked",
    }
    assert (letter.to, letter.subject) == (account.email, "Your API key Test key has leaked")
    assert PUBLIC_PLACE in letter.text
    assert "It was revoked" in letter.text


def test_long_or_malformed_location_does_not_prevent_revocation(latchkey: TestApp) -> None:
    """The location is truncated or omitted."""
    long = "https://github.com/o/r/blob/main/" + "d/" * 1_000
    accounts = [latchkey.account(name=name) for name in ("Ada", "Bea", "Cleo")]
    keys = [latchkey.key(account) for account in accounts]
    places = [{"url": long}, {"url": "", "source": "s" * 101}, {"url": "\ud800", "source": "\ud800"}]
    answer = report(latchkey, *(alert(key.secret) | place for key, place in zip(keys, places, strict=True)))
    assert answer.status == 200
    assert [owned_key(key.key.account_id, key.key.id).state for key in keys] == ["revoked"] * 3
    said = [leak_events(account)[0]["changed"] for account in accounts]
    assert [each.get("url") for each in said] == [long[: leaks.URL_MAX], None, None]
    assert [each.get("source") for each in said] == ["commit", "s" * leaks.SOURCE_MAX, None]


def test_secret_at_truncation_point_is_not_recorded_in_part(latchkey: TestApp) -> None:
    """A location is checked for secrets before it is truncated."""
    account = latchkey.account()
    issued = latchkey.key(account)
    place = "https://example.com/" + "d" * (leaks.URL_MAX - 40) + issued.secret
    report(latchkey, alert(issued.secret, url=place) | {"source": "s" * (leaks.SOURCE_MAX - 20) + issued.secret})
    said = leak_events(account)[0]["changed"]
    assert not {"url", "source"} & said.keys()


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


@pytest.mark.parametrize(
    ("on_anomaly", "done", "scopes"),
    [
        (None, "told", {"read", "write", "keys"}),
        ("tell", "told", {"read", "write", "keys"}),
        ("narrow", "narrowed", {"read"}),
    ],
)
def test_private_leak_applies_policy(
    latchkey: TestApp, tmp_path: Path, on_anomaly: str | None, done: str, scopes: set[str]
) -> None:
    """A later public report revokes the key and is recorded too."""
    account = latchkey.account()
    issued = latchkey.key(account)
    if on_anomaly:
        change.change_key(account.id, issued.key.id, name=None, wanted=None, on_anomaly=on_anomaly)
    with kept_in(tmp_path / "mail") as box:
        for _ in range(2):
            report(latchkey, alert(issued.secret, public=False))
        assert [event["changed"]["acted"] for event in leak_events(account)] == [done]
        assert verify(issued.secret).scopes == scopes
        latchkey.clock.forward(1)
        report(latchkey, alert(issued.secret))
        assert [event["changed"]["acted"] for event in leak_events(account)] == ["revoked", done]
        assert len(box.take()) == 2
    with pytest.raises(errors.InvalidApiKey):
        verify(issued.secret)


def test_github_alert_is_always_public(latchkey: TestApp, tmp_path: Path) -> None:
    """Only other senders can report a private leak."""
    github, issued = Signer("one"), latchkey.key(latchkey.account())
    with known(tmp_path, github):
        report(latchkey, alert(issued.secret, public=False), signer=github)
    with pytest.raises(errors.InvalidApiKey):
        verify(issued.secret)


def test_secret_is_public_if_one_location_is(latchkey: TestApp) -> None:
    """In whichever order."""
    for publics in ((True, False), (False, True)):
        issued = latchkey.key(latchkey.account())
        report(latchkey, *(alert(issued.secret, public=public) for public in publics))
        with pytest.raises(errors.InvalidApiKey):
            verify(issued.secret)


def test_unknown_secret_is_false_positive(latchkey: TestApp) -> None:
    """Malformed ones by checksum, others with one read, in the order of the report."""
    good = unknown()
    tokens = ["nothing", "x" * 5_000, good[:-1] + ("0" if good[-1] != "0" else "1"), good, "lk_test_" + "0" * 36]
    answer = report(latchkey, *(alert(token) for token in tokens)).json()
    assert [each["token_hash"] for each in answer] == [secrets.digest(token) for token in tokens]
    assert {each["label"] for each in answer} == {"false_positive"}


def test_unsupported_kind_is_omitted(latchkey: TestApp) -> None:
    """A label would be wrong, because a refresh token cannot be looked up."""
    tokens = [secrets.mint(kind) for kind in secrets.KINDS if kind not in leaks.LOOKED_UP]
    assert len(tokens) == 7
    assert report(latchkey, *(alert(token) for token in tokens)).json() == []


def test_inactive_key_is_true_positive(latchkey: TestApp, tmp_path: Path) -> None:
    """Its owner is informed, because the leak shows how secrets are exposed."""
    account = latchkey.account()
    ended, expired = latchkey.key(account), latchkey.key(account, expires_in_s=60)
    revoke.revoke(account.id, ended.key.id)
    latchkey.clock.forward(61)
    with kept_in(tmp_path / "mail") as box:
        answer = report(latchkey, alert(ended.secret), alert(expired.secret)).json()
        assert ["was already expired or revoked" in letter.text for letter in box.take()] == [True, True]
    assert {each["label"] for each in answer} == {"true_positive"}
    assert {event["changed"]["acted"] for event in leak_events(account)} == {"told", "revoked"}


@pytest.mark.parametrize("is_token", [False, True])
def test_repeated_report_after_failed_event_reports_revocation(
    latchkey: TestApp, ada: Person, app: App, tmp_path: Path, is_token: bool
) -> None:
    """The first report revoked the secret, so it does not count as inactive before."""
    secret = ada.grant(app)[0] if is_token else latchkey.key(ada.account).secret
    with kept_in(tmp_path / "mail") as box:
        with writes_lost(kinds.KEY_LEAKED):
            assert report(latchkey, alert(secret)).status == 503
        latchkey.clock.forward(3_600)
        assert report(latchkey, alert(secret)).status == 200
        letter = box.take_one()
    assert "It was revoked" in letter.text
    assert [event["changed"]["acted"] for event in leak_events(ada.account)] == ["revoked"]


def test_leaked_access_token_is_revoked(latchkey: TestApp, ada: Person, app: App, tmp_path: Path) -> None:
    """Wherever it was found; its grant stays active, so its client gets another token."""
    token, refresh = ada.grant(app)
    with kept_in(tmp_path / "mail") as box:
        for _ in range(2):
            answer = report(latchkey, alert(token, public=False)).json()
        letter = box.take_one()
    assert [each["label"] for each in answer] == ["true_positive"]
    with pytest.raises(errors.InvalidApiKey):
        verify(token)
    assert app.refresh(refresh).status == 200
    assert letter.subject == f"Your access token {secrets.hint(token)} has leaked"


def test_secret_is_in_no_log_event_email_or_response(
    latchkey: TestApp, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Even when the URL or the source contains it."""
    caplog.set_level(logging.DEBUG)
    log = io.StringIO()
    telemetry.write_to(log)
    issued, other, third = (latchkey.key(latchkey.account()) for _ in range(3))
    seen = []
    with kept_in(tmp_path / "mail") as box:
        for key, url in (
            (issued, f"https://example.com/{issued.secret}"),
            (other, f"https://{other.secret}:x@example.com/page?key={other.secret}#{other.secret}"),
            (third, "javascript:alert(1)"),
        ):
            report(latchkey, alert(key.secret, url=url, source=key.secret))
        report(latchkey, alert(issued.secret) | {"public": issued.secret})
        latchkey.call("POST", "/v1/leaks", json_body=[alert(issued.secret)])
        letters = box.take()
    seen += [repr(leaks.Alert(issued.secret, "key")), *(letter.text for letter in letters)]
    everything = "\n".join((log.getvalue(), caplog.text, "".join(capfd.readouterr()), dump_of_all_tables(), *seen))
    for secret in latchkey.secrets:
        assert secret[-36:-6] not in everything
    assert [leak_events(Account(each.key.account_id))[0]["changed"].get("url") for each in (issued, other, third)] == [
        None,
        "https://example.com/page",
        None,
    ]


def test_report_beyond_time_limit_gets_503(latchkey: TestApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processed alerts stay processed, so that repetitions complete."""
    keys = [latchkey.key(latchkey.account()) for _ in range(3)]
    judged = leaks._process_secret

    def slowly(seen: leaks.Alert) -> str | None:
        latchkey.clock.forward(15)
        return judged(seen)

    monkeypatch.setattr(leaks, "_process_secret", slowly)
    answer = report(latchkey, *(alert(key.secret) for key in keys))
    assert refusal(answer) == (503, "unavailable")
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
    answer = report(latchkey, *guesses)
    assert (answer.status, len(answer.json())) == (200, 1_000)
    assert clock.now_ms() == latchkey.clock.now_ms


@pytest.mark.parametrize(
    "around",
    [
        *(
            "{}\n",
            " {}",
            '"{}"',
            "'{}',",
            "Bearer {}",
            "Authorization: Bearer {}",
            "API_KEY={}",
            "`{}`",
            "<{}>",
            "{}\0",
        ),
        *(
            "https://api.example.com/?key={}&a=b",
            "\xa0{}\ufeff",
            "x{}y",
            '{{"key": "{}"}}',
            "lk_live_{}",
            "# old\nKEY={}\n",
        ),
    ],
)
def test_key_is_found_in_surrounding_text(latchkey: TestApp, tmp_path: Path, around: str) -> None:
    """The hash in the response is that of the reported text."""
    github, issued = Signer("one"), latchkey.key(latchkey.account())
    sent = around.format(issued.secret)
    with known(tmp_path, github):
        (judged,) = report(latchkey, alert(sent), signer=github).json()
    assert judged["label"] == "true_positive"
    assert judged["token_hash"] == hashlib.sha256(sent.encode()).hexdigest()
    assert latchkey.call("GET", "/v1/users/me", issued.secret).status == 401


def test_every_key_in_reported_text_is_revoked(latchkey: TestApp, tmp_path: Path) -> None:
    """A whole file may be reported."""
    github, account = Signer("one"), latchkey.account()
    issued = [latchkey.key(account).secret for _ in range(3)]
    with known(tmp_path, github):
        (judged,) = report(
            latchkey, alert(f"A={issued[0]}\nB={unknown()}\nC={issued[1]}{issued[2]}"), signer=github
        ).json()
    assert judged["label"] == "true_positive"
    assert [latchkey.call("GET", "/v1/users/me", secret).status for secret in issued] == [401] * 3


def test_text_with_unsupported_kind_is_omitted(latchkey: TestApp, tmp_path: Path) -> None:
    """A text without a well-formed secret is a false positive instead."""
    github = Signer("one")
    with known(tmp_path, github):
        assert report(latchkey, alert(f"Bearer {secrets.mint('rt')}\n"), signer=github).json() == []
        for text in (f"KEY={unknown()[:-1]}!", "lk_live_" * 100, "KEY=", f"KEY={unknown()}"):
            (judged,) = report(latchkey, alert(text), signer=github).json()
            assert judged["label"] == "false_positive"


def test_source_and_url_with_secret_are_not_recorded(latchkey: TestApp, tmp_path: Path) -> None:
    """Whichever of the two contains it."""
    github, account = Signer("one"), latchkey.account()
    issued, other = latchkey.key(account).secret, latchkey.key(account).secret
    with known(tmp_path, github):
        report(
            latchkey,
            alert(f"K={issued}") | {"source": f"see {other}", "url": f"https://x.example/{other}/a"},
            signer=github,
        )
    assert other not in dump_of_all_tables()
