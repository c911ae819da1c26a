"""A server in a subprocess, which prints a line of JSON when it is ready and for each line that it reads."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
Program = subprocess.Popen[str]


@contextmanager
def run_module(module: str, log: Path, **environment: str) -> Iterator[Program]:
    """Run a module during a `with` block, with additional `environment` variables; the module writes its log to
    `log`.
    """
    with subprocess.Popen(
        [sys.executable, "-m", module, str(log)],
        env={**os.environ, **environment},
        cwd=ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


def send_command(process: Program, **command: Any) -> dict[str, Any]:
    """Send a command to the server and return its parsed response."""
    assert process.stdin is not None
    print(json.dumps(command), file=process.stdin, flush=True)
    return read_line(process)


def read_line(process: Program) -> dict[str, Any]:
    """Return the parsed next line of a program's output."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, "The server has ended; see its traceback above."
    response: dict[str, Any] = json.loads(line)
    return response
