"""Leaked secrets: each is judged, acted on and told once, and nothing of it is written down but its hint."""

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


def told(account: Account) -> list[dict[str, Any]]:
    """Return what the account's log says about leaks, the newest first."""
    return [record.shown(event) for event in record.newest_first(account.id, 50, kind=kinds.KEY_LEAKED)]


def unknown() -> str:
    """Return a well-formed secret that nobody was given."""
    return secrets.mint("test")


def test_key_that_leaked_in_public_is_revoked_at_the_next_request(latchkey: TestApp, tmp_path: Path) -> None:
    """GitHub hears that it was one, its owner hears where it was found, and its account's log says so."""
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
    (event,) = told(account)
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


def test_alert_with_a_long_or_broken_place_keeps_no_report_from_being_acted_on(latchkey: TestApp) -> None:
    """What only people read is cut off, or left out, and the keys are revoked."""
    long = "https://github.com/o/r/blob/main/" + "d/" * 1_000
    accounts = [latchkey.account(name=name) for name in ("Ada", "Bea", "Cleo")]
    keys = [latchkey.key(account) for account in accounts]
    places = [{"url": long}, {"url": "", "source": "s" * 101}, {"url": "\ud800", "source": "\ud800"}]
    answer = report(latchkey, *(alert(key.secret) | place for key, place in zip(keys, places, strict=True)))
    assert answer.status == 200
    assert [owned_key(key.key.account_id, key.key.id).state for key in keys] == ["revoked"] * 3
    said = [told(account)[0]["changed"] for account in accounts]
    assert [each.get("url") for each in said] == [long[: leaks.URL_MAX], None, None]
    assert [each.get("source") for each in said] == ["commit", "s" * leaks.SOURCE_MAX, None]


def test_secret_at_the_end_of_what_is_told_is_not_told_by_half(latchkey: TestApp) -> None:
    """A place is looked through before it is cut."""
    account = latchkey.account()
    issued = latchkey.key(account)
    place = "https://example.com/" + "d" * (leaks.URL_MAX - 40) + issued.secret
    report(latchkey, alert(issued.secret, url=place) | {"source": "s" * (leaks.SOURCE_MAX - 20) + issued.secret})
    said = told(account)[0]["changed"]
    assert not {"url", "source"} & said.keys()


def test_same_report_again_is_told_once(latchkey: TestApp, tmp_path: Path) -> None:
    """Within one body or in another: the answer is the same, no event and no mail follows."""
    account = latchkey.account()
    issued = latchkey.key(account)
    with kept_in(tmp_path / "mail") as box:
        first = report(latchkey, alert(issued.secret), alert(issued.secret, url="")).json()
        assert report(latchkey, alert(issued.secret)).json() == first
        assert len(first) == 1
        assert len(box.take()) == 1
    assert len(told(account)) == 1


def test_of_two_reports_at_once_one_is_told(latchkey: TestApp, tmp_path: Path) -> None:
    """The loser has read the key before the winner wrote: its write is refused."""
    account = latchkey.account()
    issued = latchkey.key(account)
    seen = leaks.Alert(issued.secret, "key")
    before = Credential.found(issued.key.digest)
    assert before is not None
    with kept_in(tmp_path / "mail") as box:
        for _ in range(2):
            leaks._record_once(before, seen, leak_policy.apply(before, "revoke"))
        assert len(box.take()) == 1
    assert len(told(account)) == 1


@pytest.mark.parametrize(
    ("on_anomaly", "done", "scopes"),
    [
        (None, "told", {"read", "write", "keys"}),
        ("tell", "told", {"read", "write", "keys"}),
        ("narrow", "narrowed", {"read"}),
    ],
)
def test_key_that_leaked_elsewhere_follows_its_policy(
    latchkey: TestApp, tmp_path: Path, on_anomaly: str | None, done: str, scopes: set[str]
) -> None:
    """And when it is found in public after that, it is revoked, which is told once more."""
    account = latchkey.account()
    issued = latchkey.key(account)
    if on_anomaly:
        change.change_key(account.id, issued.key.id, name=None, wanted=None, on_anomaly=on_anomaly)
    with kept_in(tmp_path / "mail") as box:
        for _ in range(2):
            report(latchkey, alert(issued.secret, public=False))
        assert [event["changed"]["acted"] for event in told(account)] == [done]
        assert verify(issued.secret).scopes == scopes
        latchkey.clock.forward(1)
        report(latchkey, alert(issued.secret))
        assert [event["changed"]["acted"] for event in told(account)] == ["revoked", done]
        assert len(box.take()) == 2
    with pytest.raises(errors.InvalidApiKey):
        verify(issued.secret)


def test_github_reports_what_is_public(latchkey: TestApp, tmp_path: Path) -> None:
    """Whatever else stands in an alert: only other senders can say that it isn't."""
    github, issued = Signer("one"), latchkey.key(latchkey.account())
    with known(tmp_path, github):
        report(latchkey, alert(issued.secret, public=False), signer=github)
    with pytest.raises(errors.InvalidApiKey):
        verify(issued.secret)


def test_secret_that_was_found_in_two_places_is_public_if_one_is(latchkey: TestApp) -> None:
    """The order doesn't matter."""
    for publics in ((True, False), (False, True)):
        issued = latchkey.key(latchkey.account())
        report(latchkey, *(alert(issued.secret, public=public) for public in publics))
        with pytest.raises(errors.InvalidApiKey):
            verify(issued.secret)


def test_what_never_was_a_secret_of_ours_is_a_false_positive(latchkey: TestApp) -> None:
    """Malformed ones by their checksum, others by one read; in the order of the report."""
    good = unknown()
    tokens = ["nothing", "x" * 5_000, good[:-1] + ("0" if good[-1] != "0" else "1"), good, "lk_test_" + "0" * 36]
    answer = report(latchkey, *(alert(token) for token in tokens)).json()
    assert [each["token_hash"] for each in answer] == [secrets.digest(token) for token in tokens]
    assert {each["label"] for each in answer} == {"false_positive"}


def test_kind_that_is_not_looked_up_is_left_out(latchkey: TestApp) -> None:
    """Saying that a refresh token is none would be false."""
    tokens = [secrets.mint(kind) for kind in secrets.KINDS if kind not in leaks.LOOKED_UP]
    assert len(tokens) == 7
    assert report(latchkey, *(alert(token) for token in tokens)).json() == []


def test_key_that_had_ended_was_one_all_the_same(latchkey: TestApp, tmp_path: Path) -> None:
    """Its owner is told, since it shows how secrets get out."""
    account = latchkey.account()
    ended, expired = latchkey.key(account), latchkey.key(account, expires_in_s=60)
    revoke.revoke(account.id, ended.key.id)
    latchkey.clock.forward(61)
    with kept_in(tmp_path / "mail") as box:
        answer = report(latchkey, alert(ended.secret), alert(expired.secret)).json()
        assert ["was already expired or revoked" in letter.text for letter in box.take()] == [True, True]
    assert {each["label"] for each in answer} == {"true_positive"}
    assert {event["changed"]["acted"] for event in told(account)} == {"told", "revoked"}


@pytest.mark.parametrize("is_token", [False, True])
def test_report_that_comes_again_since_it_could_not_be_told_says_what_it_did(
    latchkey: TestApp, ada: Person, app: App, tmp_path: Path, is_token: bool
) -> None:
    """The first one revoked the secret: it hadn't ended before."""
    secret = ada.grant(app)[0] if is_token else latchkey.key(ada.account).secret
    with kept_in(tmp_path / "mail") as box:
        with writes_lost(kinds.KEY_LEAKED):
            assert report(latchkey, alert(secret)).status == 503
        latchkey.clock.forward(3_600)
        assert report(latchkey, alert(secret)).status == 200
        letter = box.take_one()
    assert "It was revoked" in letter.text
    assert [event["changed"]["acted"] for event in told(ada.account)] == ["revoked"]


def test_leaked_access_token_is_revoked(latchkey: TestApp, ada: Person, app: App, tmp_path: Path) -> None:
    """Wherever it was found; its grant goes on, so its application gets another."""
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


def test_token_is_in_no_log_event_letter_or_answer(
    latchkey: TestApp, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Also where a sender wrote it into the address or the source; what had a place for a secret is cut off."""
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
    assert [told(Account(each.key.account_id))[0]["changed"].get("url") for each in (issued, other, third)] == [
        None,
        "https://example.com/page",
        None,
    ]


def test_what_takes_too_long_is_asked_for_again(latchkey: TestApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """A 503, and what was done by then stays done, so that repeating it comes to an end."""
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


def test_many_alerts_cost_nothing_until_one_is_well_formed(latchkey: TestApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand guesses are judged without a read."""
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
def test_key_is_recognised_with_what_stands_around_it(latchkey: TestApp, tmp_path: Path, around: str) -> None:
    """A reporter may send more than the key; the key is out all the same, and the hash is that of what was sent."""
    github, issued = Signer("one"), latchkey.key(latchkey.account())
    sent = around.format(issued.secret)
    with known(tmp_path, github):
        (judged,) = report(latchkey, alert(sent), signer=github).json()
    assert judged["label"] == "true_positive"
    assert judged["token_hash"] == hashlib.sha256(sent.encode()).hexdigest()
    assert latchkey.call("GET", "/v1/users/me", issued.secret).status == 401


def test_every_key_in_what_was_sent_is_ended(latchkey: TestApp, tmp_path: Path) -> None:
    """Whoever finds a file with two keys may send it whole."""
    github, account = Signer("one"), latchkey.account()
    issued = [latchkey.key(account).secret for _ in range(3)]
    with known(tmp_path, github):
        (judged,) = report(
            latchkey, alert(f"A={issued[0]}\nB={unknown()}\nC={issued[1]}{issued[2]}"), signer=github
        ).json()
    assert judged["label"] == "true_positive"
    assert [latchkey.call("GET", "/v1/users/me", secret).status for secret in issued] == [401] * 3


def test_text_around_a_secret_of_another_kind_is_as_little_judged(latchkey: TestApp, tmp_path: Path) -> None:
    """Nor is anything said of a typo or of nothing at all."""
    github = Signer("one")
    with known(tmp_path, github):
        assert report(latchkey, alert(f"Bearer {secrets.mint('rt')}\n"), signer=github).json() == []
        for text in (f"KEY={unknown()[:-1]}!", "lk_live_" * 100, "KEY=", f"KEY={unknown()}"):
            (judged,) = report(latchkey, alert(text), signer=github).json()
            assert judged["label"] == "false_positive"


def test_no_secret_of_a_report_is_told_by_its_source_or_address(latchkey: TestApp, tmp_path: Path) -> None:
    """Whichever of them stands there."""
    github, account = Signer("one"), latchkey.account()
    issued, other = latchkey.key(account).secret, latchkey.key(account).secret
    with known(tmp_path, github):
        report(
            latchkey,
            alert(f"K={issued}") | {"source": f"see {other}", "url": f"https://x.example/{other}/a"},
            signer=github,
        )
    assert other not in dump_of_all_tables()
