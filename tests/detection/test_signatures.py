"""Who may report a leak: GitHub by its signature, others by a secret; over the body as it came, and nobody else."""

import base64
import json
from pathlib import Path

import pytest

from chalicelib.core import clock
from chalicelib.core.errors import InvalidRequest
from chalicelib.detection import github_signature, hmac_signature
from tests.detection.signing import Signer, by_partner, known
from tests.support.harness import TestApp

BODY = b'[{"token":"x","type":"y"}]'
PUBLISHED = json.loads(Path(__file__).with_name("github_vector.json").read_text())


def check(body: bytes, headers: dict[str, str]) -> None:
    """Check as the route does."""
    github_signature.check(
        body, identifier=headers[github_signature.IDENTIFIER], signature=headers[github_signature.SIGNATURE]
    )


def test_signature_that_github_published_is_good(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The example of its documentation, to the byte; with one byte changed it isn't."""
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"public_keys": PUBLISHED["public_keys"]}))
    monkeypatch.setattr(github_signature, "KEYS_FILE", file)
    body = PUBLISHED["body"].encode()
    check(body, PUBLISHED["headers"])
    with pytest.raises(InvalidRequest, match="not a valid signature"):
        check(body.replace(b"some_token", b"some_tokem"), PUBLISHED["headers"])


@pytest.mark.parametrize("signature", ["", "no base64!", base64.b64encode(b"no DER").decode(), "é", "AAAA" * 1000])
def test_what_is_no_signature_is_refused(tmp_path: Path, signature: str) -> None:
    """With a sentence, whatever stands there."""
    signer = Signer("one")
    with known(tmp_path, signer), pytest.raises(InvalidRequest, match="not a valid signature"):
        github_signature.check(BODY, identifier="one", signature=signature)


def test_signature_by_another_key_is_refused(tmp_path: Path) -> None:
    """Also one that is known under another identifier."""
    one, two = Signer("one"), Signer("two")
    with known(tmp_path, one, two):
        check(BODY, one.headers(BODY))
        with pytest.raises(InvalidRequest):
            check(BODY, two.headers(BODY) | {github_signature.IDENTIFIER: "one"})


def test_unknown_identifier_is_refused_with_what_to_do(tmp_path: Path) -> None:
    """The owner has to fetch the keys."""
    with known(tmp_path), pytest.raises(InvalidRequest, match="make github-keys"):
        check(BODY, Signer("one").headers(BODY))


def test_file_that_is_shipped_has_the_form_that_github_publishes() -> None:
    """Every key in it can be used; there may be none yet."""
    keys = json.loads(github_signature.KEYS_FILE.read_text())["public_keys"]
    for each in keys:
        with pytest.raises(InvalidRequest, match="not a valid signature"):
            github_signature.check(BODY, identifier=each["key_identifier"], signature="AAAA")


def test_secret_of_senders_belongs_to_the_stage(latchkey: TestApp) -> None:
    """64 hex digits, the same whenever it is asked for."""
    assert len(bytes.fromhex(hmac_signature.secret())) == 32
    assert hmac_signature.secret() == hmac_signature.secret()


@pytest.mark.parametrize("off_s", [-300, 0, 300])
def test_signature_of_now_is_good(latchkey: TestApp, off_s: int) -> None:
    """Clocks may differ by five minutes."""
    headers = by_partner(BODY, clock.now_s() + off_s)
    hmac_signature.check(BODY, timestamp=headers[hmac_signature.TIMESTAMP], signature=headers[hmac_signature.SIGNATURE])


@pytest.mark.parametrize("off_s", [-301, 301, 10**18])
def test_signature_of_another_time_is_refused(latchkey: TestApp, off_s: int) -> None:
    """What was overheard can't be sent again later."""
    headers = by_partner(BODY, clock.now_s() + off_s)
    with pytest.raises(InvalidRequest, match="epoch second"):
        hmac_signature.check(
            BODY, timestamp=headers[hmac_signature.TIMESTAMP], signature=headers[hmac_signature.SIGNATURE]
        )


@pytest.mark.parametrize("timestamp", ["", "now", "-1", "1.5", "²", "1" * 5000])
def test_timestamp_that_is_none_is_refused(latchkey: TestApp, timestamp: str) -> None:
    """With a sentence."""
    with pytest.raises(InvalidRequest, match="epoch second"):
        hmac_signature.check(BODY, timestamp=timestamp, signature="v1=00")


def test_signature_covers_time_and_body(latchkey: TestApp) -> None:
    """Another of either, or a signature without its version, is refused."""
    now_s = clock.now_s()
    good = by_partner(BODY, now_s)[hmac_signature.SIGNATURE]
    for body, at_s, signature in (
        (BODY + b" ", now_s, good),
        (BODY, now_s + 1, good),
        (BODY, now_s, good.removeprefix("v1=")),
        (BODY, now_s, "v2=" + good.removeprefix("v1=")),
        (BODY, now_s, "é"),
    ):
        with pytest.raises(InvalidRequest, match="not a valid signature"):
            hmac_signature.check(body, timestamp=str(at_s), signature=signature)
