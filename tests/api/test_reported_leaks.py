"""POST /v1/leaks reads only signed reports, and rejects malformed ones with a message."""

import json
from pathlib import Path

import pytest

from chalicelib.api import leaks
from chalicelib.core import secrets
from chalicelib.limits.tiers import ANONYMOUS
from tests.detection.signing import Signer, alert, sign_with_shared_secret, trust_signers
from tests.support.harness import TestApp, error_of

GOOD = {"token": "x", "type": "y"}


def send_signed(latchkey: TestApp, body: bytes) -> tuple[int, str]:
    """Send a correctly signed body; return status and error message."""
    response = latchkey.call("POST", "/v1/leaks", body=body, headers=sign_with_shared_secret(body))
    return response.status, response.json()["message"] if response.status != 200 else ""


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"[]",
        b"null",
        b"[",
        b"\xff",
        b"[" * 100_000,
        b"[1]",
        b"[[]]",
        b'[{"token":"x"}]',
        b'[{"type":"x"}]',
        b'[{"token":"","type":"x"}]',
        b'[{"token":1,"type":"x"}]',
        b'[{"token":"\\ud800","type":"x"}]',
        b'[{"token":"x","type":["y"]}]',
        b'[{"token":"x","type":"y","url":7}]',
        b'[{"token":"x","type":"y","public":"no"}]',
        b'[{"token":"x","type":"y","source":["z"]}]',
        json.dumps([GOOD] * 1_001).encode(),
    ],
    ids=range(18),
)
def test_malformed_report_is_a_400(latchkey: TestApp, body: bytes) -> None:
    """A signed but malformed report is a 400."""
    status, message = send_signed(latchkey, body)
    assert status == 400
    assert message.endswith(".")


def test_report_over_a_megabyte_is_rejected(latchkey: TestApp) -> None:
    """A report may have one megabyte; a larger report is rejected before its signature is computed."""
    body = json.dumps([GOOD]).encode()
    assert send_signed(latchkey, body + b" " * (leaks.BODY_BYTES_MAX - len(body))) == (200, "")
    assert send_signed(latchkey, body + b" " * (leaks.BODY_BYTES_MAX - len(body) + 1))[0] == 400


@pytest.mark.parametrize(
    "more", [{}, {"url": None, "source": None}, {"url": ""}, {"commit": "4f", "location": {"line": 7}}]
)
def test_alert_needs_token_and_type_only(latchkey: TestApp, more: dict[str, object]) -> None:
    """An alert requires only token and type, and unknown fields are ignored."""
    assert send_signed(latchkey, json.dumps([GOOD | more]).encode()) == (200, "")


def test_unsigned_report_is_a_400(latchkey: TestApp) -> None:
    """The 400 for an unsigned report names the signature header."""
    response = latchkey.call("POST", "/v1/leaks", json_body=[alert(secrets.mint("test"))])
    assert error_of(response) == (400, "invalid_request")
    assert "Github-Public-Key-Signature" in response.json()["message"]


def test_signature_is_checked_before_the_body_is_read(latchkey: TestApp, tmp_path: Path) -> None:
    """The signature must match the exact bytes of the body. GitHub can't be impersonated with another sender's
    signature.
    """
    signer, body = Signer("one"), json.dumps([GOOD]).encode()
    with trust_signers(tmp_path, signer):
        headers = signer.headers(body)
        assert latchkey.call("POST", "/v1/leaks", body=body, headers=headers).status == 200
        assert latchkey.call("POST", "/v1/leaks", body=body + b" ", headers=headers).status == 400
        # The secret that signs this report belongs to another sender.
        mixed = sign_with_shared_secret(body) | {
            "Github-Public-Key-Signature": "AAAA",
            "Github-Public-Key-Identifier": "one",
        }
        assert latchkey.call("POST", "/v1/leaks", body=body, headers=mixed).status == 400


def test_reports_are_counted_by_address(latchkey: TestApp) -> None:
    """Reports count against the anonymous limit of their network."""
    latchkey.set_counters("ip_203.0.113.7", ANONYMOUS, used=3_600)
    responses = [latchkey.call("POST", "/v1/leaks", json_body=[GOOD], ip=ip) for ip in ("203.0.113.7", "203.0.113.8")]
    assert [response.status for response in responses] == [429, 400]
