"""Run schemathesis repeatedly in one process, because its start and parsing our schema take most of a run.

Run it as a module. Each line of JSON on standard input has the arguments of a run and the environment that `hooks.py`
reads; each line of JSON on standard output has the run's exit code and output.
"""

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Player:
    """A process that runs schemathesis several times."""

    process: subprocess.Popen[str]

    def run(self, arguments: list[str], **environment: str) -> tuple[int, str]:
        """Run schemathesis and return its exit code and output."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps({"arguments": arguments, "environment": environment}), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        assert line, "schemathesis has ended; its traceback stands above."
        done = json.loads(line)
        return done["code"], done["printed"]


@contextmanager
def run_player(folder: Path) -> Iterator[Player]:
    """Start a player during a `with` block; it writes its files to `folder`."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.reference.player"],
        env=os.environ | {"PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": "tests.reference.hooks"},
        cwd=folder,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            yield Player(process)
        finally:
            process.terminate()


def main() -> None:
    """Run schemathesis for each line of standard input until it ends."""
    for line in sys.stdin:
        asked = json.loads(line)
        os.environ |= asked["environment"]
        code, printed = _run(asked["arguments"])
        print(json.dumps({"code": code, "printed": printed}), flush=True)


def _run(arguments: list[str]) -> tuple[Any, str]:
    from schemathesis.cli import schemathesis

    printed = io.StringIO()
    with redirect_stdout(printed), redirect_stderr(printed):
        try:
            # Outside "standalone mode" click returns the exit code.
            code = schemathesis.main(args=arguments, standalone_mode=False)
        except SystemExit as ended:
            code = ended.code
    return code or 0, printed.getvalue()


if __name__ == "__main__":
    main()
