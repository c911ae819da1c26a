"""Run the server of a local run as a separate process, and restart it whenever the code changes.

The listening socket stays open, so a request during a restart waits for the new code. While the code doesn't load,
requests get a 503 with an explanation.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from infra import code_error_server

ROOT = Path(__file__).parent.parent
WATCHED = ("app.py", "chalicelib")
SOURCES = frozenset({".py", ".html", ".txt", ".css", ".js", ".svg", ".json", ".md"})
LOOK_EVERY_S = 0.3
END_WITHIN_S = 5
CANNOT_START = 3
"""The exit status of a server that can't start for another reason than its code, such as an invalid setting."""

Snapshot = dict[Path, tuple[int, int]]


@dataclass(slots=True)
class Server:
    """A running server process. It ends when this process ends or is killed, which closes its standard input."""

    process: subprocess.Popen[bytes]

    @classmethod
    def start(cls, listener: socket.socket, *, first: bool) -> "Server":
        """Start a server with the current code on a listening socket; with `first`, it prints the demo accounts."""
        command = [sys.executable, "-m", "infra.serve", str(listener.fileno()), *(["--first"] if first else [])]
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            pass_fds=[listener.fileno()],
            # Start the server in its own session. So Ctrl-C reaches only this process, which then ends the server.
            start_new_session=True,
        )
        return cls(process)

    def end(self) -> None:
        """Terminate the server process; kill it after a timeout."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(END_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def serve(listener: socket.socket) -> int:
    """Serve the current code until Ctrl-C. Return 1 if the server can't start, for a reason other than its code."""
    first = True
    while True:
        code = sources()
        server = Server.start(listener, first=first)
        try:
            _wait_until(lambda code=code, server=server: server.process.poll() is not None or sources() != code)  # type: ignore[misc]
            status = server.process.poll()
            if status in (0, CANNOT_START):
                return int(status != 0)
            if status is not None:
                print("\nThe code doesn't load; see above. Waiting for a change …", flush=True)
                with code_error_server.respond(listener):
                    _wait_until(lambda code=code: sources() != code)  # type: ignore[misc]
        finally:
            server.end()
        # Print this after the old server has ended, so that a request sent from now on reaches the new code.
        print(f"\nReloading: {', '.join(_changed(code))} changed.", flush=True)
        first = first and status is not None


def sources() -> Snapshot:
    """Return the server's source files, with their modification times (ns) and sizes."""
    found: Snapshot = {}
    for name in WATCHED:
        top = ROOT / name
        for path in top.rglob("*") if top.is_dir() else (top,):
            if path.suffix in SOURCES:
                try:
                    known = path.stat()
                except FileNotFoundError:
                    continue  # a temporary file of an editor, which is deleted already
                found[path] = (known.st_mtime_ns, known.st_size)
    return found


def _changed(before: Snapshot) -> list[str]:
    now = sources()
    return sorted(os.path.relpath(path, ROOT) for path in {*before, *now} if before.get(path) != now.get(path))


def _wait_until(holds: Callable[[], bool]) -> None:
    while not holds():
        time.sleep(LOOK_EVERY_S)
