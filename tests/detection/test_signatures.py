"""Leak reports are signed over the raw body: by GitHub's key, or with a shared secret."""

import base64
import json
from pathlib import Path

import pytest

from chalicelib.core import clock
from chalicelib.core.errors import InvalidRequest
from chalicelib.detection import github_signature, hmac_signature
from tests.detection.signing import Signer, sign_with_shared_secret, trust_signers
from tests.support.harness import TestApp

BODY = b'[{"token":"x","type":"y"}]'
PUBLISHED = json.loads(Path(__file__).with_name("github_vector.json").read_text())


def check(body: bytes, headers: dict[str, str]) -> None:
    """Verify the signature of a request as the route does."""
    github_signature.check(
        body, identifier=headers[github_signature.IDENTIFIER], signature=headers[github_signature.SIGNATURE]
    )


def test_published_github_signature_is_valid(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The example signature in GitHub's documentation is valid; with a changed byte it isn't."""
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"public_keys": PUBLISHED["public_keys"]}))
    monkeypatch.setattr(github_signature, "KEYS_FILE", file)
    body = PUBLISHED["body"].encode()
    check(body, PUBLISHED["headers"])
    with pytest.raises(InvalidRequest, match="not a valid signature"):
        check(body.replace(b"some_token", b"some_tokem"), PUBLISHED["headers"])


@pytest.mark.parametrize("signature", ["", "no base64!", base64.b64encode(b"no DER").decode(), "é", "AAAA" * 1000])
def test_malformed_signature_is_rejected(tmp_path: Path, signature: str) -> None:
    """Any malformed signature header is rejected with an error message."""
    signer = Signer("one")
    with trust_signers(tmp_path, signer), pytest.raises(InvalidRequest, match="not a valid signature"):
        github_signature.check(BODY, identifier="one", signature=signature)


def test_signature_by_another_key_is_rejected(tmp_path: Path) -> None:
    """A signature by another key is rejected, even if that key is known under another identifier."""
    one, two = Signer("one"), Signer("two")
    with trust_signers(tmp_path, one, two):
        check(BODY, one.headers(BODY))
        with pytest.raises(InvalidRequest):
            check(BODY, two.headers(BODY) | {github_signature.IDENTIFIER: "one"})


def test_unknown_identifier_is_rejected_with_remedy(tmp_path: Path) -> None:
    """An unknown key identifier is rejected; the error tells the operator to fetch GitHub's keys."""
    with trust_signers(tmp_path), pytest.raises(InvalidRequest, match="make github-keys"):
        check(BODY, Signer("one").headers(BODY))


def test_shipped_key_file_has_github_format() -> None:
    """The shipped file of GitHub's keys has GitHub's format, and every key in it can be loaded."""
    keys = json.loads(github_signature.KEYS_FILE.read_text())["public_keys"]
    for each in keys:
        with pytest.raises(InvalidRequest, match="not a valid signature"):
            github_signature.check(BODY, identifier=each["key_identifier"], signature="AAAA")


def test_shared_secret_is_derived_from_root_key(latchkey: TestApp) -> None:
    """The shared secret is derived from the root key: 64 hex digits, always the same."""
    assert len(bytes.fromhex(hmac_signature.secret())) == 32
    assert hmac_signature.secret() == hmac_signature.secret()


@pytest.mark.parametrize("off_s", [-300, 0, 300])
def test_current_signature_is_valid(latchkey: TestApp, off_s: int) -> None:
    """A signature is valid if its time differs from the clock by at most five minutes."""
    headers = sign_with_shared_secret(BODY, clock.now_s() + off_s)
    hmac_signature.check(BODY, timestamp=headers[hmac_signature.TIMESTAMP], signature=headers[hmac_signature.SIGNATURE])


@pytest.mark.parametrize("off_s", [-301, 301, 10**18])
def test_signature_of_another_time_is_rejected(latchkey: TestApp, off_s: int) -> None:
    """A signature is rejected if its time differs by more than five minutes, so it can't be replayed later."""
    headers = sign_with_shared_secret(BODY, clock.now_s() + off_s)
    with pytest.raises(InvalidRequest, match="epoch second"):
        hmac_signature.check(
            BODY, timestamp=headers[hmac_signature.TIMESTAMP], signature=headers[hmac_signature.SIGNATURE]
        )


@pytest.mark.parametrize("timestamp", ["", "now", "-1", "1.5", "²", "1" * 5000])
def test_malformed_timestamp_is_rejected(latchkey: TestApp, timestamp: str) -> None:
    """A malformed timestamp is rejected with an error message."""
    with pytest.raises(InvalidRequest, match="epoch second"):
        hmac_signature.check(BODY, timestamp=timestamp, signature="v1=00")


def test_signature_covers_timestamp_and_body(latchkey: TestApp) -> None:
    """A signature is invalid if timestamp, body or version is changed or missing."""
    now_s = clock.now_s()
    good = sign_with_shared_secret(BODY, now_s)[hmac_signature.SIGNATURE]
    for body, at_s, signature in (
        (BODY + b" ", now_s, good),
        (BODY, now_s + 1, good),
        (BODY, now_s, good.removeprefix("v1=")),
        (BODY, now_s, "v2=" + good.removeprefix("v1=")),
        (BODY, now_s, "é"),
    ):
        with pytest.raises(InvalidRequest, match="not a valid signature"):
            hmac_signature.check(body, timestamp=str(at_s), signature=signature)
