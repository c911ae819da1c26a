"""A deployment reads its settings only from .chalice/config.json."""

import os
from pathlib import Path

import pytest

from infra.deploy.chalice_commands import without_shell_settings
from tests.deploy.checkout import copied
from tests.deploy.cloud import serving


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set two variables in the shell: a setting of local runs, and a setting that doesn't exist."""
    monkeypatch.setenv("LATCHKEY_ALLOWED_ORIGIN", "https://shell.example")
    monkeypatch.setenv("LATCHKEY_NO_SUCH_SETTING", "1")


@pytest.mark.usefixtures("shell")
def test_settings_of_the_shell_are_hidden_for_a_command() -> None:
    """During a command the shell's LATCHKEY_ variables are removed, and afterwards they are restored."""
    with without_shell_settings():
        assert [name for name in os.environ if name.startswith("LATCHKEY_")] == []
    assert os.environ["LATCHKEY_ALLOWED_ORIGIN"] == "https://shell.example"


@pytest.mark.usefixtures("shell")
def test_deployment_ignores_the_settings_of_the_shell(tmp_path: Path) -> None:
    """A LATCHKEY_ variable that doesn't exist as a setting doesn't stop a deployment."""
    with serving() as cloud:
        done = copied(tmp_path, is_light=True, **cloud.environment).run_alone("deploy", "dev")
    assert (done.status, "LATCHKEY_NO_SUCH_SETTING" in done.error) == (0, False), done.said + done.error
