"""Leaked secrets are identified, and revoked or handled by policy."""

import hashlib
from pathlib import Path

import pytest

from chalicelib.core import errors, secrets
from chalicelib.credentials import change, revoke
from chalicelib.credentials.verify import verify
from chalicelib.detection import leaks
from tests.detection.leak_events import leak_events, mint_unknown
from tests.detection.signing import PUBLIC_PLACE, Signer, alert, report, trust_signers
from tests.oauth.flow import App, User
from tests.support.harness import TestApp, error_of
from tests.support.mailbox import collect_emails


def test_public_leak_revokes_key_at_next_request(latchkey: TestApp, tmp_path: Path) -> None:
    """A key that leaked publicly is revoked at the next request, and its account gets an email and an event."""
    github = Signer("one")
    account = latchkey.account()
    issued = latchkey.key(account)
    assert latchkey.call("GET", "/v1/users/me", issued.secret).status == 200
    with trust_signers(tmp_path, github), collect_emails(tmp_path / "mail") as box:
        response = report(latchkey, alert(issued.secret), signer=github)
        message = box.take_one()
    assert response.json() == [
        {
            "token_hash": hashlib.sha256(issued.secret.encode()).hexdigest(),
            "token_type": "latchkey_api_key",
            "label": "true_positive",
        }
    ]
    assert error_of(latchkey.call("GET", "/v1/users/me", issued.secret)) == (401, "invalid_api_key")
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
    assert (message.to, message.subject) == (account.email, "Your API key Test key has leaked")
    assert PUBLIC_PLACE in message.text
    assert "It was revoked" in message.text


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
    """A private report of a leak applies the key's policy. A later public report revokes the key and is
    recorded, too.
    """
    account = latchkey.account()
    issued = latchkey.key(account)
    if on_anomaly:
        change.change_key(account.id, issued.key.id, name=None, wanted=None, on_anomaly=on_anomaly)
    with collect_emails(tmp_path / "mail") as box:
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
    """A report from GitHub is always public; only other senders can report a private leak."""
    github, issued = Signer("one"), latchkey.key(latchkey.account())
    with trust_signers(tmp_path, github):
        report(latchkey, alert(issued.secret, public=False), signer=github)
    with pytest.raises(errors.InvalidApiKey):
        verify(issued.secret)


def test_secret_is_public_if_one_location_is(latchkey: TestApp) -> None:
    """A secret that is reported several times is revoked if one of the reports is public."""
    for publics in ((True, False), (False, True)):
        issued = latchkey.key(latchkey.account())
        report(latchkey, *(alert(issued.secret, public=public) for public in publics))
        with pytest.raises(errors.InvalidApiKey):
            verify(issued.secret)


def test_unknown_secret_is_false_positive(latchkey: TestApp) -> None:
    """Malformed and unknown secrets are false positives. The response lists secrets in the order of the report."""
    good = mint_unknown()
    tokens = ["nothing", "x" * 5_000, good[:-1] + ("0" if good[-1] != "0" else "1"), good, "lk_test_" + "0" * 36]
    response = report(latchkey, *(alert(token) for token in tokens)).json()
    assert [each["token_hash"] for each in response] == [secrets.digest(token) for token in tokens]
    assert {each["label"] for each in response} == {"false_positive"}


def test_unsupported_kind_is_omitted(latchkey: TestApp) -> None:
    """The response omits secrets of kinds that can't be looked up, such as refresh tokens."""
    tokens = [secrets.mint(kind) for kind in secrets.KINDS if kind not in leaks.LOOKED_UP]
    assert len(tokens) == 7
    assert report(latchkey, *(alert(token) for token in tokens)).json() == []


def test_inactive_key_is_true_positive(latchkey: TestApp, tmp_path: Path) -> None:
    """A leaked key that is inactive is a true positive, and its account gets an email."""
    account = latchkey.account()
    ended, expired = latchkey.key(account), latchkey.key(account, expires_in_s=60)
    revoke.revoke(account.id, ended.key.id)
    latchkey.clock.forward(61)
    with collect_emails(tmp_path / "mail") as box:
        response = report(latchkey, alert(ended.secret), alert(expired.secret)).json()
        assert ["was already expired or revoked" in message.text for message in box.take()] == [True, True]
    assert {each["label"] for each in response} == {"true_positive"}
    assert {event["changed"]["acted"] for event in leak_events(account)} == {"told", "revoked"}


def test_leaked_access_token_is_revoked(latchkey: TestApp, ada: User, app: App, tmp_path: Path) -> None:
    """A leaked access token is revoked wherever it was found; its grant stays active, so its client can refresh."""
    token, refresh = ada.grant(app)
    with collect_emails(tmp_path / "mail") as box:
        for _ in range(2):
            response = report(latchkey, alert(token, public=False)).json()
        message = box.take_one()
    assert [each["label"] for each in response] == ["true_positive"]
    with pytest.raises(errors.InvalidApiKey):
        verify(token)
    assert app.refresh(refresh).status == 200
    assert message.subject == f"Your access token {secrets.preview(token)} has leaked"


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
    """A key within other text is found, and the hash in the response is that of the whole text."""
    github, issued = Signer("one"), latchkey.key(latchkey.account())
    sent = around.format(issued.secret)
    with trust_signers(tmp_path, github):
        (labelled,) = report(latchkey, alert(sent), signer=github).json()
    assert labelled["label"] == "true_positive"
    assert labelled["token_hash"] == hashlib.sha256(sent.encode()).hexdigest()
    assert latchkey.call("GET", "/v1/users/me", issued.secret).status == 401


def test_every_key_in_reported_text_is_revoked(latchkey: TestApp, tmp_path: Path) -> None:
    """Every key in a reported text, such as a whole file, is revoked."""
    github, account = Signer("one"), latchkey.account()
    issued = [latchkey.key(account).secret for _ in range(3)]
    with trust_signers(tmp_path, github):
        (labelled,) = report(
            latchkey, alert(f"A={issued[0]}\nB={mint_unknown()}\nC={issued[1]}{issued[2]}"), signer=github
        ).json()
    assert labelled["label"] == "true_positive"
    assert [latchkey.call("GET", "/v1/users/me", secret).status for secret in issued] == [401] * 3


def test_text_with_unsupported_kind_is_omitted(latchkey: TestApp, tmp_path: Path) -> None:
    """The response omits a text with a secret that can't be looked up."""
    github = Signer("one")
    with trust_signers(tmp_path, github):
        assert report(latchkey, alert(f"Bearer {secrets.mint('rt')}\n"), signer=github).json() == []
        for text in (f"KEY={mint_unknown()[:-1]}!", "lk_live_" * 100, "KEY=", f"KEY={mint_unknown()}"):
            (labelled,) = report(latchkey, alert(text), signer=github).json()
            assert labelled["label"] == "false_positive"
