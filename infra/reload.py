"""The server of a local run as a process of its own, started anew whenever the code changes.

The listening socket stays open meanwhile: a request that comes during a restart waits for the new code, and while the
code doesn't load it gets a 503 that says so.
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

from infra import unloaded

ROOT = Path(__file__).parent.parent
WATCHED = ("app.py", "chalicelib")
SOURCES = frozenset({".py", ".html", ".txt", ".css", ".js", ".svg", ".json", ".md"})
LOOK_EVERY_S = 0.3
END_WITHIN_S = 5
CANNOT_START = 3
"""The exit status of a server that no change of the code lets start: a setting is wrong, the database is gone."""

Snapshot = dict[Path, tuple[int, int]]


@dataclass(slots=True)
class Server:
    """A running server process. It ends with this one, however this one ends: its standard input is our pipe."""

    process: subprocess.Popen[bytes]

    @classmethod
    def start(cls, listener: socket.socket, *, first: bool) -> "Server":
        """Start the code as it is now on a socket that listens already; only the first introduces itself."""
        command = [sys.executable, "-m", "infra.serve", str(listener.fileno()), *(["--first"] if first else [])]
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            pass_fds=[listener.fileno()],
            # Its own session: Ctrl-C reaches us first, and we end it.
            start_new_session=True,
        )
        return cls(process)

    def end(self) -> None:
        """End it, politely at first."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(END_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def serve(listener: socket.socket) -> int:
    """Serve until interrupted, always with the code as it is; return 1 when no change of it could help."""
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
                print("\nThe code can't be served as it is; see above. Waiting for a change …", flush=True)
                with unloaded.answered(listener):
                    _wait_until(lambda code=code: sources() != code)  # type: ignore[misc]
        finally:
            server.end()
        # Not before it has ended: whoever reads this and asks at once mustn't meet a server that is being ended.
        print(f"\nReloading: {', '.join(_changed(code))} changed.", flush=True)
        first = first and status is not None


def sources() -> Snapshot:
    """Return every file that the server is made of, with its size and the time of its last change (ns)."""
    found: Snapshot = {}
    for name in WATCHED:
        top = ROOT / name
        for path in top.rglob("*") if top.is_dir() else (top,):
            if path.suffix in SOURCES:
                try:
                    known = path.stat()
                except FileNotFoundError:
                    continue  # an editor's own file, gone again
                found[path] = (known.st_mtime_ns, known.st_size)
    return found


def _changed(before: Snapshot) -> list[str]:
    now = sources()
    return sorted(os.path.relpath(path, ROOT) for path in {*before, *now} if before.get(path) != now.get(path))


def _wait_until(holds: Callable[[], bool]) -> None:
    while not holds():
        time.sleep(LOOK_EVERY_S)
