"""The commands on a deployed stage, given none or a wrong one."""

import pytest

from infra.deploy.command import main


@pytest.mark.parametrize("command", ["status", "deploy", "package", "destroy"])
@pytest.mark.parametrize("stage", ["local", "", "production"])
def test_command_without_a_stage_says_what_to_do(command: str, stage: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence with what to type, and no usage of a program that nobody called."""
    assert main([command, f"--stage={stage}"]) == 1
    said = capsys.readouterr()
    assert said == ("", f"Choose a stage: make {command} STAGE=dev|prod\n")


@pytest.mark.parametrize("command", ["status", "deploy", "destroy"])
def test_command_without_a_region_says_what_to_set(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is asked of AWS."""
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nothing/there")
    assert main([command, "--stage=dev"]) == 1
    assert "No AWS region: set AWS_DEFAULT_REGION" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["status", "deploy", "destroy"])
def test_misspelt_profile_is_said_in_one_sentence(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The name that was given, and no traceback."""
    monkeypatch.setenv("AWS_PROFILE", "prdo")
    assert main([command, "--stage=dev"]) == 1
    assert capsys.readouterr() == ("", "The config profile (prdo) could not be found\n")
