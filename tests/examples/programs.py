"""Run an example as a reader would: saved to a file, unchanged, with the interpreter of its language."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra import pinned
from tests.examples.blocks import Block

ENDS_WITHIN_S = 60
LANGUAGES = ("bash", "javascript", "python", "go")


@dataclass(frozen=True, slots=True)
class Ran:
    """The output and exit status of a program."""

    status: int
    printed: str
    complained: str

    @property
    def lines(self) -> list[str]:
        """Return the lines of standard output of a program that exited with status 0."""
        assert self.status == 0, self.complained
        return self.printed.splitlines()

    def json(self) -> Any:
        """Return the parsed standard output of a program that exited with status 0."""
        assert self.status == 0, self.printed + self.complained
        return json.loads(self.printed)


def run(block: Block, folder: Path, environment: dict[str, str]) -> Ran:
    """Run one block in `folder`; skip a Go program if Go isn't installed."""
    prepare = {"bash": _bash, "javascript": _javascript, "python": _python, "go": _go}[block.language]
    ended = subprocess.run(
        prepare(block.code, folder),
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=ENDS_WITHIN_S,
        check=False,
    )
    return Ran(ended.returncode, ended.stdout, ended.stderr)


def _bash(code: str, folder: Path) -> list[str]:
    return ["bash", _saved(code, folder / "example.sh")]


def _python(code: str, folder: Path) -> list[str]:
    return [sys.executable, _saved(code, folder / "example.py")]


def _javascript(code: str, folder: Path) -> list[str]:
    node = shutil.which("node")
    assert node, "Install Node.js 20 or newer with npm: the JavaScript examples run on it."
    if "axios" in code:
        (folder / "node_modules").symlink_to(pinned.node_modules(Path(__file__).parent, "axios"))
    return [node, _saved(code, folder / "example.mjs")]


def _go(code: str, folder: Path) -> list[str]:
    go = shutil.which("go")
    if go is None:
        pytest.skip("There is no `go` on PATH: this Go example was not run.")
    return [go, "run", _saved(code, folder / "example.go")]


def _saved(code: str, file: Path) -> str:
    file.write_text(code)
    return str(file)
