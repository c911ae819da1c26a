"""A fresh copy of the repository in which `make run` is started, interrupted and started again."""

import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import requests

from infra import engine
from tests.support.checkout_copies import copy_part

ROOT = Path(__file__).parents[2]
NEEDED = ("Makefile", "app.py", "chalicelib", "infra")
KEY = re.compile(r"lk_test_[0-9A-Za-z]{36}")
LINGERING = """#!/bin/sh
trap 'kill -KILL $serving; sleep 2; exit' INT
"{binary}" "$@" &
serving=$!
wait
"""
"""A script that runs the DynamoDB emulator. On Ctrl-C it kills the emulator, and ends two seconds later."""
TIERS = ("free", "pro", "enterprise")
DEMOS = (*TIERS, "admin", "developer")
GIVEN_UP_AFTER_S = 60


@dataclass(frozen=True, slots=True)
class Run:
    """A running `make run` in a session of its own, with its output until it was ready."""

    process: subprocess.Popen[str]
    printed: str
    url: str

    @property
    def keys(self) -> list[str]:
        """Return the API keys of the demo accounts from the output."""
        return [
            found[0] for line in self.printed.splitlines() if "@example.com" in line and (found := KEY.search(line))
        ]

    def interrupt(self, by: signal.Signals) -> str:
        """Send a signal to the process group, as Ctrl-C does; return the output until all processes have ended."""
        os.killpg(self.process.pid, by)
        return self.process.communicate(timeout=GIVEN_UP_AFTER_S)[0]

    def until(self, text: str) -> str:
        """Return the further output up to the line with `text`."""
        assert self.process.stdout is not None
        return _printed(self.process.stdout, text, anywhere=True)

    def get(self, path: str, key: str) -> Any:
        """Return the API's response to a GET with a key."""
        response = requests.get(self.url + path, headers=bearer(key), timeout=GIVEN_UP_AFTER_S)
        response.raise_for_status()
        return response.json()


class Tree:
    """A fresh copy of the repository in which only the dependencies are installed."""

    def __init__(self, path: Path) -> None:
        """Copy the files that `make run` needs, and link this repository's installed dependencies."""
        self.path, self.port, self.runs = path, find_free_port(), list[Run]()
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            # A background process of a shell ignores SIGINT, and its child processes inherit that.
            signal.signal(signal.SIGINT, signal.default_int_handler)
        for name in NEEDED:
            copy_part(ROOT / name, path / name)
        (path / ".local").mkdir()
        (path / ".local" / "dynoxide").symlink_to(engine.LOCAL / "dynoxide")
        binaries = path / ".venv" / "bin"
        binaries.mkdir(parents=True)
        (binaries / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        (binaries / "python").chmod(0o755)
        (binaries / ".run").touch()

    def start(self, until: str = "Serving on") -> Run:
        """Start `make run`; return after its output has a line that begins with `until`."""
        process = self._make("run", f"PORT={self.port}")
        assert process.stdout is not None
        run = Run(process, _printed(process.stdout, until), f"http://127.0.0.1:{self.port}")
        self.runs.append(run)
        return run

    def make(self, *arguments: str) -> str:
        """Run another make command and return its output."""
        process = self._make(*arguments)
        printed = process.communicate(timeout=GIVEN_UP_AFTER_S)[0]
        assert process.returncode == 0, printed
        return printed

    def refused_start(self, **environment: str) -> str:
        """Run `make run`, which must fail to start, and return its output."""
        process = self._make("run", f"PORT={self.port}", **environment)
        printed = process.communicate(timeout=GIVEN_UP_AFTER_S)[0]
        assert process.returncode != 0
        return printed

    def linger(self) -> None:
        """Make the database process end two seconds late."""
        held = engine.dynoxide(say=False)
        assert held is not None
        lent = self.path / ".local" / "dynoxide"
        lent.unlink()
        shutil.copytree(engine.LOCAL / "dynoxide", lent, ignore=shutil.ignore_patterns(held.name))
        lingering = self.path / held.relative_to(engine.LOCAL.parent)
        lingering.write_text(LINGERING.format(binary=held))
        lingering.chmod(0o755)

    def engines(self) -> list[int]:
        """Return the process ids of the databases of this copy."""
        return [pid for pid, command in _processes() if str(self.path / ".local" / "latchkey.db") in command]

    def kill_engines(self) -> None:
        """Kill the database processes with SIGKILL."""
        for pid in self.engines():
            os.kill(pid, signal.SIGKILL)

    def clean(self) -> None:
        """Kill all processes of this copy."""
        for run in self.runs:
            if run.process.poll() is None:
                run.interrupt(signal.SIGKILL)
        self.kill_engines()

    def _make(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LATCHKEY_", "MAKE"))}
        return subprocess.Popen(
            ["make", *arguments],
            cwd=self.path,
            env=kept | environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def bearer(key: str) -> dict[str, str]:
    """Return the Authorization header for a key."""
    return {"Authorization": f"Bearer {key}"}


def create_key(run: Run, by: str) -> str:
    """Create a key through the API and return it."""
    body = {"name": "Made before the crash", "scopes": ["read"]}
    response = requests.post(f"{run.url}/v1/keys", json=body, headers=bearer(by), timeout=GIVEN_UP_AFTER_S)
    assert response.status_code == 201
    secret: str = response.json()["secret"]
    return secret


def _printed(output: IO[str], until: str, *, anywhere: bool = False) -> str:
    printed = ""
    for line in output:
        printed += line
        if line.startswith(until) or (anywhere and until in line):
            return printed
    raise AssertionError(f"`make run` ended before it printed {until!r}:\n{printed}")


def _processes() -> Iterator[tuple[int, str]]:
    """Return the id and command line of all visible processes."""
    if Path("/proc/self/cmdline").exists():
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                try:
                    yield int(folder.name), (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                except OSError:
                    continue  # the process has ended
    else:
        listing = subprocess.run(["ps", "-axo", "pid=,args="], capture_output=True, text=True, check=True).stdout
        for line in listing.splitlines():
            pid, _, command = line.strip().partition(" ")
            yield int(pid), command


def find_free_port() -> int:
    """Return a free port below the ephemeral range, so that it stays free while `make run` is stopped."""
    return next(port for port in random.sample(range(20_000, 30_000), 100) if is_free(port))


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
