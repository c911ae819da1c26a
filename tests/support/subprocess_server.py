"""A server in a process of its own: it says a line of JSON when it serves, and answers each line with one."""

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
    """Run a module that writes its log to `log`, with `environment` added, for the length of a `with` block."""
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
    """Send a line and return what is answered."""
    assert process.stdin is not None
    print(json.dumps(command), file=process.stdin, flush=True)
    return read_line(process)


def read_line(process: Program) -> dict[str, Any]:
    """Return the next line that a program says."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, "The server has ended; its traceback stands above."
    answer: dict[str, Any] = json.loads(line)
    return answer
