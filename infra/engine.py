"""The local DynamoDB: dynoxide from npm, stored in one SQLite file; ministack from PyPI where dynoxide has no build.

Installed into `.local/`, never into the user's home.
"""

import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from infra import pinned

LOCAL = pinned.LOCAL
RUNNING = LOCAL / "running.json"
STARTS_WITHIN_S = 20

_DYNOXIDE = Path(__file__).parent / "dynoxide"
_BUILDS: dict[str, str] = json.loads((_DYNOXIDE / "package.json").read_text())["optionalDependencies"]
(DYNOXIDE,) = set(_BUILDS.values())
_SYSTEMS = {"Linux": "linux", "Darwin": "darwin", "Windows": "win32"}
_MACHINES = {"x86_64": "x64", "AMD64": "x64", "aarch64": "arm64", "arm64": "arm64"}


class EngineError(Exception):
    """No engine can be started; the message says what to do."""


@dataclass(slots=True)
class Engine:
    """A running DynamoDB on loopback."""

    url: str
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """Stop the engine and wait for its end."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def start(data: Path | None, *, say: bool = True) -> Engine:
    """Start an engine that keeps its data in the file `data` (None: in memory only).

    Raises EngineError when neither dynoxide nor ministack can be had or doesn't start.
    """
    binary = dynoxide(say=say)
    if binary is not None:
        return _started(_dynoxide_command(binary, data))
    if say:
        print("dynoxide has no build for this machine, or npm is missing: using ministack instead.")
        print("Its data is durable only if it is stopped cleanly (Ctrl-C); a kill -9 loses what came since the start.")
    return _started(_ministack_command(data, say=say))


def dynoxide(*, say: bool = True) -> Path | None:
    """Return the path of dynoxide, installed from npm if necessary; None without a pinned build for this machine."""
    system, machine = _SYSTEMS.get(platform.system()), _MACHINES.get(platform.machine())
    package = f"@dynoxide/{system}-{machine}"
    if package not in _BUILDS or shutil.which("npm") is None:
        return None
    announced = f"Installing the local DynamoDB engine (dynoxide {DYNOXIDE}, once) …" if say else ""
    try:
        modules = pinned.node_modules(_DYNOXIDE, "dynoxide", announced=announced)
    except subprocess.CalledProcessError:
        return None
    return modules / package / ("dynoxide.exe" if system == "win32" else "dynoxide")


Command = tuple[list[str], dict[str, str], int]


def _dynoxide_command(binary: Path, data: Path | None) -> Command:
    port = free_port()
    where = ["--db-path", str(data)] if data else []
    return [str(binary), "serve", "--host", "127.0.0.1", "--port", str(port), *where], {}, port


def _ministack_command(data: Path | None, *, say: bool) -> Command:
    try:
        programs = pinned.python_programs("ministack", announced="Installing ministack (once) …" if say else "")
    except subprocess.CalledProcessError as error:
        raise EngineError("No local DynamoDB engine: install Node.js with npm, then run this again.") from error
    port = free_port()
    environment = {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "SERVICES": "dynamodb"}
    environment["MINISTACK_ACCOUNT_ID"] = os.environ.get("AWS_ACCESS_KEY_ID", "000000000000")
    if data:
        environment |= {"PERSIST_STATE": "1", "STATE_DIR": str(data.with_suffix(".ministack"))}
    return [str(programs / "python"), "-m", "ministack"], environment, port


def _started(command: Command) -> Engine:
    arguments, environment, port = command
    LOCAL.mkdir(exist_ok=True)
    with (LOCAL / "engine.log").open("ab") as log:
        # Its own session: Ctrl-C reaches this process, which stops the engine last.
        process = subprocess.Popen(
            arguments, env=os.environ | environment, stdout=log, stderr=log, start_new_session=True
        )
    engine = Engine(f"http://127.0.0.1:{port}", process)
    give_up = time.monotonic() + STARTS_WITHIN_S
    try:
        while process.poll() is None and time.monotonic() < give_up:
            if _listens(port):
                return engine
            time.sleep(0.02)
        raise EngineError(f"The local DynamoDB engine didn't start; see {LOCAL / 'engine.log'}.")
    except BaseException:
        # Ctrl-C during the start: it doesn't reach the engine's own session.
        engine.stop()
        raise


def note_running(database: Engine, url: str) -> None:
    """Record the URLs of a local run's database and API, for the operator's commands and for the next start."""
    RUNNING.write_text(json.dumps({"database": database.url, "url": url, "pid": database.process.pid}))


def end_what_was_left() -> None:
    """Stop the engine of a killed run: two engines must not use one file."""
    if running() is None:
        return
    pid = int(json.loads(RUNNING.read_text())["pid"])
    # The process id may have been reused: only a process that looks like our engine is killed.
    looks = subprocess.run(["ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True, check=False).stdout
    if str(LOCAL) in looks:
        os.kill(pid, signal.SIGINT)
        give_up = time.monotonic() + STARTS_WITHIN_S
        while running() is not None and time.monotonic() < give_up:
            time.sleep(0.05)


def running() -> tuple[str, str] | None:
    """Return the URLs of the local run's database and API, None without one."""
    try:
        noted = json.loads(RUNNING.read_text())
        return (noted["database"], noted["url"]) if _listens(urlsplit(noted["database"]).port or 0) else None
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except (ValueError, LookupError, TypeError):  # cut off when something was killed
        return None


def forget_running() -> None:
    """Delete the record of the local run."""
    RUNNING.unlink(missing_ok=True)


def free_port() -> int:
    """Return a free port on loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
