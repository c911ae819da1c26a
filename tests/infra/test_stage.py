"""The commands on a deployed stage, given none or a wrong one."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("command", ["status", "deploy", "package", "destroy"])
@pytest.mark.parametrize("stage", ["local", "", "production"])
def test_command_without_a_stage_says_what_to_do(command: str, stage: str) -> None:
    """One sentence with what to type, and no usage of a program that nobody called."""
    program = [sys.executable, "-m", "infra.deploy", command, f"--stage={stage}"]
    done = subprocess.run(program, capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"Choose a stage: make {command} STAGE=dev|prod\n"
