"""`make leak-secret` prints the secret with which senders of leak reports sign them."""

import sys

import pytest

from chalicelib.detection import hmac_signature
from infra import manage
from tests.support.harness import TestApp, stage_key_file


def test_printed_secret_verifies_signatures(
    latchkey: TestApp, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The output is exactly the secret, so that scripts can use it."""
    monkeypatch.setenv("LATCHKEY_STAGE_KEY_FILE", stage_key_file())
    monkeypatch.setattr(sys, "argv", ["manage", "--stage", "test", "leak-secret"])
    assert manage.main(("test",)) == 0
    assert capsys.readouterr().out == f"{hmac_signature.secret()}\n"


def test_stage_without_a_root_key_is_reported(
    latchkey: TestApp, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """If the stage has no root key, the error is one line without a traceback."""
    monkeypatch.setenv("LATCHKEY_STAGE_KEY_FILE", "/nowhere")
    monkeypatch.setattr(sys, "argv", ["manage", "--stage", "test", "leak-secret"])
    assert manage.main(("test",)) == 1
    printed = capsys.readouterr()
    assert printed.err == "This needs the key of this stage, which can't be read. The owner of this API must look.\n"
