"""The commands on a deployed stage, given none or a wrong one."""

import pytest

from infra import deploy


@pytest.mark.parametrize("command", ["status", "deploy", "package", "destroy"])
@pytest.mark.parametrize("stage", ["local", "", "production"])
def test_command_without_a_stage_says_what_to_do(command: str, stage: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence with what to type, and no usage of a program that nobody called."""
    assert deploy.main([command, f"--stage={stage}"]) == 1
    said = capsys.readouterr()
    assert said == ("", f"Choose a stage: make {command} STAGE=dev|prod\n")
