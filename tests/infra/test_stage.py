"""The commands on a deployed stage, given none or a wrong one."""

import pytest

from infra.deploy.command import main


@pytest.mark.parametrize("command", ["status", "deploy", "package", "rotate-edge", "destroy"])
@pytest.mark.parametrize("stage", ["local", "", "production"])
def test_command_without_a_stage_says_what_to_do(command: str, stage: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence with what to type, and no usage of a program that nobody called."""
    assert main([command, f"--stage={stage}"]) == 1
    said = capsys.readouterr()
    begins = f"There is no stage '{stage}'. Choose one" if stage else "Choose a stage"
    assert said == ("", f"{begins}: make {command} STAGE=dev|prod\n")
