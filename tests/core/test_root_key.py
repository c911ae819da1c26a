"""The root key of a stage has 32 bytes from a file or from SSM, and the secrets derived from it never change."""

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
from chalicelib.core.process_cache import CACHES
from tests.support.harness import TestApp

KEY = bytes(range(32))
WRITTEN = base64.b64encode(KEY).decode()
DERIVED = "ee2d74b5581380b94518efd1a6da0de5655d58b2f082dccc9f645e52e0ebfbdb"
"""HKDF-SHA-256 of the test's root key for the purpose "test" (RFC 5869, no salt, 32 bytes), computed by `cryptography`.
"""


@pytest.fixture
def log(latchkey: TestApp) -> Iterator[io.StringIO]:
    """The log of a test that starts without a cached root key."""
    CACHES["core.root_key"].clear()
    stream = io.StringIO()
    telemetry.write_to(stream)
    yield stream
    CACHES["core.root_key"].clear()


def derive(**chosen: Any) -> str:
    """Return the secret derived for "test" under these settings."""
    with settings.override(replace(settings.current(), **chosen)):
        return root_key.derive_secret("test").hex()


def read_logged_reason(log: io.StringIO, **chosen: Any) -> str:
    """Return the reason for an unavailable key from the log; the error to the caller omits it."""
    with pytest.raises(root_key.RootKeyUnavailable) as failed:
        derive(**chosen)
    assert failed.value.message == (
        "This needs the key of this stage, which can't be read. The owner of this API must look."
    )
    assert (failed.value.status, failed.value.error) == (503, "unavailable")
    logged, counted = map(json.loads, log.getvalue().splitlines())
    assert (logged["level"], logged["message"]) == ("WARNING", "no_stage_key")
    assert counted["StageKeyUnavailable"] == 1
    return str(logged["why"])


def test_derived_secret_never_changes(log: io.StringIO, tmp_path: Path) -> None:
    """A derived secret never changes, because receivers store it; each purpose has its own secret."""
    file = tmp_path / "key"
    file.write_text(f" {WRITTEN}\n")
    assert derive(stage_key_file=str(file)) == DERIVED
    assert root_key.derive_secret("other").hex() != DERIVED
    assert log.getvalue() == ""


def test_key_is_read_once_per_stage(log: io.StringIO, tmp_path: Path) -> None:
    """The root key is read once per stage, and again only after `forget`."""
    file = tmp_path / "key"
    file.write_text(WRITTEN)
    derive(stage_key_file=str(file))
    file.unlink()
    assert derive(stage_key_file=str(file)) == DERIVED
    CACHES["core.root_key"].clear()
    assert (
        read_logged_reason(log, stage_key_file=str(file))
        == f"The root key can't be read from {file}: No such file or directory."
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
def test_file_without_a_valid_key_is_reported(log: io.StringIO, tmp_path: Path, text: str) -> None:
    """A key file is invalid if its key is too short or has other characters."""
    file = tmp_path / "key"
    file.write_text(text)
    assert read_logged_reason(log, stage_key_file=str(file)) == "The root key must be 32 bytes in base64."


@pytest.mark.parametrize("is_there", [True, False])
def test_deployed_stage_has_its_key_in_ssm(log: io.StringIO, monkeypatch: pytest.MonkeyPatch, is_there: bool) -> None:
    """A deployed stage reads its root key from a SecureString in SSM; if it is missing, the log names the parameter."""
    requested: list[tuple[str, dict[str, Any]]] = []

    def response(_client: Any, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        requested.append((operation, request))
        if not is_there:
            raise ClientError({"Error": {"Code": "ParameterNotFound"}}, operation)
        return {"Parameter": {"Value": WRITTEN}}

    monkeypatch.setattr(BaseClient, "_make_api_call", response)
    if is_there:
        assert derive(stage_key_file="") == DERIVED
    else:
        assert read_logged_reason(log, stage_key_file="") == (
            "The SSM parameter /latchkey/test/key can't be read: ParameterNotFound."
        )
    assert requested == [("GetParameter", {"Name": "/latchkey/test/key", "WithDecryption": True})]


def test_failed_ssm_call_is_reported_by_its_exception(log: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the call to SSM gets no response, the log names the exception."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert read_logged_reason(log, stage_key_file="").endswith("can't be read: NoRegionError.")


def test_ssm_timeout_is_at_most_fifteen_seconds() -> None:
    """All tries of a call to SSM take at most fifteen seconds, within API Gateway's timeout of 29."""
    config = root_key._ssm().meta.config
    assert (config.connect_timeout + config.read_timeout) * config.retries["total_max_attempts"] == 15
