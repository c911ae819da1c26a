"""Start a local DynamoDB: dynoxide from npm or, if it has no build for this machine, ministack from PyPI.

Both are installed into `.local/`, so nothing is written to the user's home.
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
    """No local database can be started; the message names the remedy."""


@dataclass(slots=True)
class Engine:
    """A running local DynamoDB, which listens on loopback."""

    url: str
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """Stop the process and wait until it has ended."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def start(data: Path | None, *, say: bool = True) -> Engine:
    """Start a database that stores its data in the file `data`, or only in memory if `data` is None.

    Raises EngineError if neither dynoxide nor ministack can be installed, or if the process doesn't start.
    """
    binary = dynoxide(say=say)
    if binary is not None:
        return _launch(_dynoxide_command(binary, data))
    if say:
        print("dynoxide has no build for this machine, or npm is missing: using ministack instead.")
        print("It keeps its data only when it is stopped with Ctrl-C; a kill -9 loses all changes since the start.")
    return _launch(_ministack_command(data, say=say))


def dynoxide(*, say: bool = True) -> Path | None:
    """Return the path of dynoxide, after installing it if necessary; None if it has no build for this machine."""
    system, machine = _SYSTEMS.get(platform.system()), _MACHINES.get(platform.machine())
    package = f"@dynoxide/{system}-{machine}"
    if package not in _BUILDS or shutil.which("npm") is None:
        return None
    announced = f"Installing the local database (dynoxide {DYNOXIDE}, once) …" if say else ""
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
        raise EngineError("No local database can be installed: install Node.js with npm, then retry.") from error
    port = free_port()
    environment = {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "SERVICES": "dynamodb"}
    environment["MINISTACK_ACCOUNT_ID"] = os.environ.get("AWS_ACCESS_KEY_ID", "000000000000")
    if data:
        environment |= {"PERSIST_STATE": "1", "STATE_DIR": str(data.with_suffix(".ministack"))}
    return [str(programs / "python"), "-m", "ministack"], environment, port


def _launch(command: Command) -> Engine:
    arguments, environment, port = command
    LOCAL.mkdir(exist_ok=True)
    with (LOCAL / "engine.log").open("ab") as log:
        # Start the database in its own session. So Ctrl-C reaches only this process, which stops the database last.
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
        raise EngineError(f"The local database didn't start; see {LOCAL / 'engine.log'}.")
    except BaseException:
        # Ctrl-C during the start doesn't reach the process in its own session, so stop it here.
        engine.stop()
        raise


def note_running(database: Engine, url: str) -> None:
    """Record the URLs of a local run's database and API for other commands and for the next start."""
    RUNNING.write_text(json.dumps({"database": database.url, "url": url, "pid": database.process.pid}))


def stop_remaining() -> None:
    """Stop the database that a killed run has left running, because two processes must not use the same file."""
    if running() is None:
        return
    pid = int(json.loads(RUNNING.read_text())["pid"])
    # The process id may have been reused, so check the command line before the kill.
    process = subprocess.run(["ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True, check=False)
    if str(LOCAL) in process.stdout:
        os.kill(pid, signal.SIGINT)
        give_up = time.monotonic() + STARTS_WITHIN_S
        while running() is not None and time.monotonic() < give_up:
            time.sleep(0.05)


def running() -> tuple[str, str] | None:
    """Return the URLs of the local run's database and API, None if there is no local run."""
    try:
        noted = json.loads(RUNNING.read_text())
        return (noted["database"], noted["url"]) if _listens(urlsplit(noted["database"]).port or 0) else None
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except (ValueError, LookupError, TypeError):  # the file is truncated, because its writer was killed
        return None


def forget_running() -> None:
    """Delete the record of the local run."""
    RUNNING.unlink(missing_ok=True)


def free_port() -> int:
    """Return a TCP port on loopback that is currently free."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
