"""The key of a stage: from a file or from SSM, 32 bytes or none, and what is derived from it stays what it was."""

import base64
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from chalicelib.core import root_key, settings, telemetry
from tests.support.harness import TestApp

KEY = bytes(range(32))
WRITTEN = base64.b64encode(KEY).decode()
DERIVED = "ee2d74b5581380b94518efd1a6da0de5655d58b2f082dccc9f645e52e0ebfbdb"
"""HKDF-SHA-256 of that key for "test" (RFC 5869, no salt, 32 bytes), by the library."""


@pytest.fixture
def log(latchkey: TestApp) -> Iterator[io.StringIO]:
    """Everything that is logged, and no key that an earlier test has read."""
    root_key.forget()
    stream = io.StringIO()
    telemetry.write_to(stream)
    yield stream
    root_key.forget()


def derived(**chosen: Any) -> str:
    """Return what is derived for "test" under other settings."""
    with settings.in_use(replace(settings.current(), **chosen)):
        return root_key.stage_key("test").hex()


def problem(log: io.StringIO, **chosen: Any) -> str:
    """Return what the operator reads of a key that can't be had; the caller reads no more than that."""
    with pytest.raises(root_key.NoStageKey) as failed:
        derived(**chosen)
    assert failed.value.message == (
        "This needs the key of this stage, which can't be read. The owner of this API must look."
    )
    assert (failed.value.status, failed.value.error) == (503, "unavailable")
    logged, counted = map(json.loads, log.getvalue().splitlines())
    assert (logged["level"], logged["message"]) == ("WARNING", "no_stage_key")
    assert counted["StageKeyUnavailable"] == 1
    return str(logged["why"])


def test_what_is_derived_stays_the_same(log: io.StringIO, tmp_path: Path) -> None:
    """Receivers have been given it: another one would make every signature wrong. Each purpose has its own."""
    file = tmp_path / "key"
    file.write_text(f" {WRITTEN}\n")
    assert derived(stage_key_file=str(file)) == DERIVED
    assert root_key.stage_key("other").hex() != DERIVED
    assert log.getvalue() == ""


def test_key_is_read_once_for_a_stage(log: io.StringIO, tmp_path: Path) -> None:
    """And anew after it was forgotten."""
    file = tmp_path / "key"
    file.write_text(WRITTEN)
    derived(stage_key_file=str(file))
    file.unlink()
    assert derived(stage_key_file=str(file)) == DERIVED
    root_key.forget()
    assert (
        problem(log, stage_key_file=str(file)) == f"The root key can't be read from {file}: No such file or directory."
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        base64.b64encode(KEY[:31]).decode(),
        base64.b64encode(KEY + b"x").decode(),
        WRITTEN[:-1],
        "!" + WRITTEN,
        WRITTEN.replace("A", "A ", 1),
    ],
    ids=["empty", "31 bytes", "33 bytes", "cut", "another character", "a space"],
)
def test_file_that_holds_no_key_is_named_as_such(log: io.StringIO, tmp_path: Path, text: str) -> None:
    """Half a key, or one with something in it, is none."""
    file = tmp_path / "key"
    file.write_text(text)
    assert problem(log, stage_key_file=str(file)) == "The root key must be 32 bytes in base64."


@pytest.mark.parametrize("is_there", [True, False])
def test_deployed_stage_has_its_key_in_ssm(log: io.StringIO, monkeypatch: pytest.MonkeyPatch, is_there: bool) -> None:
    """A SecureString, decrypted, by the name of the stage; where there is none, the log says which is missing."""
    asked: list[tuple[str, dict[str, Any]]] = []

    def answer(_client: Any, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        asked.append((operation, request))
        if not is_there:
            raise ClientError({"Error": {"Code": "ParameterNotFound"}}, operation)
        return {"Parameter": {"Value": WRITTEN}}

    monkeypatch.setattr(BaseClient, "_make_api_call", answer)
    if is_there:
        assert derived(stage_key_file="") == DERIVED
    else:
        assert problem(log, stage_key_file="") == (
            "The SSM parameter /latchkey/test/key can't be read: ParameterNotFound."
        )
    assert asked == [("GetParameter", {"Name": "/latchkey/test/key", "WithDecryption": True})]


def test_ssm_that_cannot_be_asked_is_named_by_what_failed(log: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not by a code, since there was no answer."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert problem(log, stage_key_file="").endswith("can't be read: NoRegionError.")


def test_ssm_that_does_not_answer_is_given_up_after_fifteen_seconds() -> None:
    """All its tries together: the gateway itself waits for 29."""
    config = root_key._ssm().meta.config
    assert (config.connect_timeout + config.read_timeout) * config.retries["total_max_attempts"] == 15
