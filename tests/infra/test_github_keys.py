"""`make github-keys` stores the keys that GitHub publishes, and rejects any other response."""

import json
import re
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chalicelib.core import secrets
from chalicelib.detection import github_signature
from chalicelib.detection.leaks import LOOKED_UP
from infra import github_keys
from tests.detection.signing import Signer
from tests.support.harness import TestApp


def run(monkeypatch: pytest.MonkeyPatch, published: Path, out: Path) -> int:
    """Run the command; GitHub's response is the content of a file."""
    monkeypatch.setattr(sys, "argv", ["github-keys", "--url", published.as_uri(), "--out", str(out)])
    return github_keys.main()


def test_fetched_keys_are_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fetched keys are used for verification, and unknown fields are ignored."""
    published, out, signers = tmp_path / "published.json", tmp_path / "keys.json", [Signer("one"), Signer("two")]
    published.write_text(json.dumps({"public_keys": [signer.published | {"new": 1} for signer in signers]}))
    assert run(monkeypatch, published, out) == 0
    assert "2 keys" in capsys.readouterr().out
    assert json.loads(out.read_text()) == {"public_keys": [signer.published for signer in signers]}
    monkeypatch.setattr(github_signature, "KEYS_FILE", out)
    for signer in signers:
        headers = signer.headers(b"[]")
        github_signature.check(
            b"[]", identifier=headers[github_signature.IDENTIFIER], signature=headers[github_signature.SIGNATURE]
        )


def other_curve() -> str:
    """Return a key on a curve that GitHub doesn't use."""
    key = ec.generate_private_key(ec.SECP384R1()).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.mark.parametrize(
    "published",
    [
        "<html>",
        "[]",
        "{}",
        '{"public_keys": []}',
        '{"public_keys": [{"key_identifier": "x"}]}',
        json.dumps({"public_keys": [{"key_identifier": "x", "key": "no key", "is_current": True}]}),
        json.dumps({"public_keys": [{"key_identifier": "x", "key": 7, "is_current": True}]}),
        json.dumps({"public_keys": [{"key_identifier": "x", "key": other_curve(), "is_current": True}]}),
    ],
    ids=["html", "list", "nothing", "no keys", "no key", "no pem", "number", "other curve"],
)
def test_invalid_response_keeps_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], published: str
) -> None:
    """An invalid response is reported in one line and doesn't change the file."""
    source, out = tmp_path / "published.json", tmp_path / "keys.json"
    source.write_text(published)
    out.write_text("as it was")
    assert run(monkeypatch, source, out) == 1
    assert capsys.readouterr().err.startswith("The keys can't be fetched from ")
    assert out.read_text() == "as it was"


def test_unreachable_github_is_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unreachable GitHub is reported in one line, without a traceback."""
    assert run(monkeypatch, tmp_path / "nowhere.json", tmp_path / "keys.json") == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_documented_pattern_matches_our_secrets(latchkey: TestApp) -> None:
    """The pattern in docs/leaks.md matches every type of secret that is looked up by digest, and no other."""
    page = (Path(__file__).parents[2] / "docs" / "leaks.md").read_text()
    (pattern,) = re.findall(r"^lk_\(.*$", page, re.MULTILINE)
    assert pattern == f"lk_({'|'.join(LOOKED_UP)})_[0-9A-Za-z]{{36}}"
    for kind in secrets.KINDS:
        assert bool(re.fullmatch(pattern, secrets.mint(kind))) == (kind in LOOKED_UP)
