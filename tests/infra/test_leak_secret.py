"""`make leak-secret`: what it prints is what a sender signs with."""

import sys

import pytest

from chalicelib.detection import hmac_signature
from infra import manage
from tests.support.harness import TestApp, stage_key_file


def test_printed_secret_is_the_one_that_is_checked_with(
    latchkey: TestApp, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole output is the secret, so that a script can take it."""
    monkeypatch.setenv("LATCHKEY_STAGE_KEY_FILE", stage_key_file())
    monkeypatch.setattr(sys, "argv", ["manage", "--stage", "test", "leak-secret"])
    assert manage.main(("test",)) == 0
    assert capsys.readouterr().out == f"{hmac_signature.secret()}\n"


def test_stage_without_a_key_is_one_sentence(
    latchkey: TestApp, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No traceback."""
    monkeypatch.setenv("LATCHKEY_STAGE_KEY_FILE", "/nowhere")
    monkeypatch.setattr(sys, "argv", ["manage", "--stage", "test", "leak-secret"])
    assert manage.main(("test",)) == 1
    printed = capsys.readouterr()
    assert printed.err == "This needs the key of this stage, which can't be read. The owner of this API must look.\n"
