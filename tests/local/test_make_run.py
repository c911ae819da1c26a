"""`make run` as a developer meets it: started, interrupted in every way there is, started again."""

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

import pytest
import requests

from infra import engine
from tests.support import exhaustive
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
"""An engine that is gone for whoever asks it, and takes its time to end."""
TIERS = ("free", "pro", "enterprise")
DEMOS = (*TIERS, "admin")
GIVEN_UP_AFTER_S = 60


@dataclass(frozen=True, slots=True)
class Run:
    """One `make run`, in a terminal of its own, and what it printed until it was waited for."""

    process: subprocess.Popen[str]
    printed: str
    url: str

    @property
    def keys(self) -> list[str]:
        """Return the API keys that it printed with the demo accounts."""
        return [
            found[0] for line in self.printed.splitlines() if "@example.com" in line and (found := KEY.search(line))
        ]

    def interrupt(self, by: signal.Signals) -> str:
        """Send a signal to everything in this terminal, as Ctrl-C does; return what was printed until all ended."""
        os.killpg(self.process.pid, by)
        return self.process.communicate(timeout=GIVEN_UP_AFTER_S)[0]

    def until(self, text: str) -> str:
        """Return what is printed from now on, up to the line that holds `text`."""
        assert self.process.stdout is not None
        return _printed(self.process.stdout, text, anywhere=True)

    def get(self, path: str, key: str) -> Any:
        """Return what the API answers to a GET with a key."""
        answer = requests.get(self.url + path, headers=bearer(key), timeout=GIVEN_UP_AFTER_S)
        answer.raise_for_status()
        return answer.json()


class Tree:
    """A fresh copy of the repository, in which nothing was run yet but the installation."""

    def __init__(self, path: Path) -> None:
        """Copy what `make run` needs, and lend it what this repository has installed."""
        self.path, self.port, self.runs = path, _port_that_stays_free(), list[Run]()
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            # What a shell starts in the background ignores Ctrl-C, and so would everything that is started from here.
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
        """Start `make run` and return when it has printed a line that begins with `until`."""
        process = self._make("run", f"PORT={self.port}")
        assert process.stdout is not None
        run = Run(process, _printed(process.stdout, until), f"http://127.0.0.1:{self.port}")
        self.runs.append(run)
        return run

    def make(self, *arguments: str) -> str:
        """Return what another make command prints."""
        process = self._make(*arguments)
        printed = process.communicate(timeout=GIVEN_UP_AFTER_S)[0]
        assert process.returncode == 0, printed
        return printed

    def refused_start(self, **environment: str) -> str:
        """Return what `make run` prints when it can't serve."""
        process = self._make("run", f"PORT={self.port}", **environment)
        printed = process.communicate(timeout=GIVEN_UP_AFTER_S)[0]
        assert process.returncode != 0
        return printed

    def linger(self) -> None:
        """Let the engine take its time to end."""
        held = engine.dynoxide(say=False)
        assert held is not None
        lent = self.path / ".local" / "dynoxide"
        lent.unlink()
        shutil.copytree(engine.LOCAL / "dynoxide", lent, ignore=shutil.ignore_patterns(held.name))
        lingering = self.path / held.relative_to(engine.LOCAL.parent)
        lingering.write_text(LINGERING.format(binary=held))
        lingering.chmod(0o755)

    def engines(self) -> list[int]:
        """Return the processes that serve this tree's database."""
        return [pid for pid, command in _processes() if str(self.path / ".local" / "latchkey.db") in command]

    def kill_engines(self) -> None:
        """Kill -9 the engines."""
        for pid in self.engines():
            os.kill(pid, signal.SIGKILL)

    def clean(self) -> None:
        """Leave nothing running, however a test ended."""
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


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Tree]:
    """A fresh copy of the repository."""
    if engine.dynoxide(say=False) is None:
        pytest.skip("Without dynoxide local data is durable after a clean stop only, as `make run` says on start.")
    made = Tree(tmp_path)
    yield made
    made.clean()


def bearer(key: str) -> dict[str, str]:
    """Return the header that carries a key."""
    return {"Authorization": f"Bearer {key}"}


def created_key(run: Run, by: str) -> str:
    """Return a key made through the API."""
    body = {"name": "Made before the crash", "scopes": ["read"]}
    answer = requests.post(f"{run.url}/v1/keys", json=body, headers=bearer(by), timeout=GIVEN_UP_AFTER_S)
    assert answer.status_code == 201
    secret: str = answer.json()["secret"]
    return secret


@pytest.mark.parametrize("killed", exhaustive.after(1, ["everything", "all_but_the_engine", "the_engine_first"]))
def test_killed_run_loses_no_account_or_key(tree: Tree, killed: str) -> None:
    """After kill -9 the next start has the same accounts, and every key that was ever shown works."""
    first = tree.start()
    assert len(first.keys) == len(DEMOS)
    keys = [*first.keys, created_key(first, by=first.keys[0])]
    people = [first.get("/v1/users/me", key) for key in keys]
    if killed == "the_engine_first":
        tree.kill_engines()
    first.interrupt(signal.SIGKILL)
    if killed == "everything":
        tree.kill_engines()
    second = tree.start()
    assert [second.get("/v1/users/me", key) for key in keys] == people
    assert [person["tier"] for person in people] == [*TIERS, "free", "free"]


def test_later_start_shows_no_secret_but_how_to_get_a_key(tree: Tree) -> None:
    """What isn't stored can't be shown again: a later start names the command that makes a key, and the key works."""
    tree.start().interrupt(signal.SIGINT)
    again = tree.start()
    assert not KEY.search(again.printed)
    for name in DEMOS:
        assert f"make key EMAIL={name}@example.com" in again.printed
    key = tree.make("key", "EMAIL=pro@example.com").strip()
    assert KEY.fullmatch(key)
    assert again.get("/v1/users/me", key)["tier"] == "pro"


@pytest.mark.parametrize("by", exhaustive.after(1, [signal.SIGINT, signal.SIGTERM]), ids=lambda by: by.name)
def test_interrupt_stops_everything_that_was_started(tree: Tree, by: signal.Signals) -> None:
    """Ctrl-C, and a polite kill, leave no engine and no server behind."""
    run = tree.start()
    assert len(tree.engines()) == 1
    printed = run.interrupt(by)
    assert "Stopped." in printed
    assert "Traceback" not in printed
    assert tree.engines() == []
    assert _nothing_listens(tree.port)


def test_interrupt_says_nothing_of_an_engine_that_takes_its_time_to_end(tree: Tree) -> None:
    """What goes on beside the server stops with it, or fails into the log: the terminal shows no traceback."""
    tree.linger()
    run = tree.start()
    printed = run.interrupt(signal.SIGINT)
    assert printed.split() == ["Stopped."]
    assert tree.engines() == []


def test_interrupt_while_starting_stops_everything(tree: Tree) -> None:
    """Ctrl-C in the middle of the first start leaves no engine behind, and the next start has all it needs."""
    run = tree.start(until="Created")
    assert "Traceback" not in run.interrupt(signal.SIGINT)
    assert tree.engines() == []
    again = tree.start()
    for name in DEMOS:
        assert f"{name}@example.com" in again.printed


OWN_VIEW = """

@app.route("/own")
def own():
    return {answer}
"""


def test_link_of_an_account_made_here_leads_to_the_run(tree: Tree) -> None:
    """`make account` and `make password-link` ask nothing of AWS for it."""
    run = tree.start()
    for command in ("account", "password-link"):
        printed = tree.make(command, "EMAIL=zed@example.com")
        link = printed[printed.index(f"{run.url}/password?ticket=") :].split()[0]
        assert requests.get(link, timeout=GIVEN_UP_AFTER_S).status_code == 200


def test_change_of_the_code_is_served_without_a_restart(tree: Tree) -> None:
    """A request that comes while the server starts anew waits for it; the accounts and keys stay."""
    run = tree.start()
    app, before = tree.path / "app.py", (tree.path / "app.py").read_text()
    app.write_text(before + OWN_VIEW.format(answer='{"version": 1}'))
    assert run.until("Reloading: app.py changed.")
    assert requests.get(f"{run.url}/own", timeout=GIVEN_UP_AFTER_S).json() == {"version": 1}
    app.write_text(before + OWN_VIEW.format(answer='{"version": 22}'))
    assert run.until("Reloading: app.py changed.")
    assert requests.get(f"{run.url}/own", timeout=GIVEN_UP_AFTER_S).json() == {"version": 22}
    assert run.get("/v1/users/me", run.keys[0])["tier"] == "free"
    assert run.interrupt(signal.SIGINT).split()[-1] == "Stopped."
    assert tree.engines() == []


def test_code_that_cannot_start_says_where_and_waits_for_its_mend(tree: Tree) -> None:
    """The terminal shows the line at fault, requests are told to look there, and the next change is served."""
    run = tree.start()
    app, before = tree.path / "app.py", (tree.path / "app.py").read_text()
    app.write_text(before + "\nthis is no Python\n")
    assert "this is no Python" in run.until("The code can't be served as it is")
    for method, accepted, kind in (("GET", "*/*", "application/json"), ("POST", "text/html", "text/html")):
        headers = {"Accept": accepted}
        answer = requests.request(method, f"{run.url}/v1/limits", headers=headers, data=b"x" * 70_000, timeout=10)
        assert (answer.status_code, answer.headers["Content-Type"].partition(";")[0]) == (503, kind)
        assert "terminal" in answer.text
    app.write_text(before)
    run.until("Serving on")
    assert run.get("/v1/users/me", run.keys[0])["tier"] == "free"


def test_fault_of_an_own_view_is_readable_in_the_terminal(tree: Tree) -> None:
    """A traceback from the view on, line by line, beside the JSON line in the log; the caller gets a plain 500."""
    views = tree.path / "chalicelib" / "api" / "limits.py"
    views.write_text(views.read_text().replace("    return {", "    1 / 0\n    return {", 1))
    run = tree.start()
    answer = requests.get(f"{run.url}/v1/limits", headers=bearer(run.keys[0]), timeout=GIVEN_UP_AFTER_S)
    assert (answer.status_code, answer.json()["error"]) == (500, "internal_error")
    shown = run.until("ZeroDivisionError")
    assert 'File "chalicelib/api/limits.py"' in shown
    assert "    1 / 0\n" in shown
    assert "routing.py" not in shown


def test_misspelt_setting_ends_the_start_with_one_sentence(tree: Tree) -> None:
    """No change of the code could help, so nothing stays behind that waits for one."""
    printed = tree.refused_start(LATCHKEY_LOG_LEVEL="LOUD")
    assert "LATCHKEY_LOG_LEVEL takes" in printed
    assert "Traceback" not in printed
    assert tree.engines() == []


def test_only_the_owner_can_read_what_a_run_keeps(tree: Tree) -> None:
    """The database, the log and the mail, made now or by an earlier version: nobody else on the machine."""
    old = tree.path / ".local" / "latchkey.log"
    old.touch(0o644)
    run = tree.start()
    run.get("/v1/users/me", run.keys[0])
    kept = [path for path in (tree.path / ".local").iterdir() if path.name != "dynoxide"]
    assert {"latchkey.db", "latchkey.log", "running.json", "mail"} <= {path.name for path in kept}
    assert [path.name for path in kept if path.stat().st_mode & 0o077] == []


def test_administration_is_there_to_be_seen(tree: Tree) -> None:
    """The demo administrator's key reads what only administrators may."""
    run = tree.start()
    key = run.keys[DEMOS.index("admin")]
    assert "/admin" in run.printed
    body = {"secret": run.keys[0]}
    answer = requests.post(f"{run.url}/v1/verify", json=body, headers=bearer(key), timeout=GIVEN_UP_AFTER_S)
    assert answer.status_code == 200


def test_taken_port_is_named_and_leaves_nothing_running(tree: Tree) -> None:
    """When the port is taken, one sentence says so and how to choose another, and no engine stays behind."""
    with socket.create_server(("127.0.0.1", tree.port)):
        printed = tree.refused_start()
    assert f"127.0.0.1:{tree.port}" in printed
    assert "make run PORT=" in printed
    assert "Traceback" not in printed
    assert tree.engines() == []


@pytest.mark.parametrize("port", exhaustive.after(2, ["here", "0", "65536", "-1"]))
def test_port_that_is_none_is_refused(tree: Tree, port: str) -> None:
    """By one sentence, before anything is started."""
    process = tree._make("run", f"PORT={port}")
    printed = process.communicate(timeout=GIVEN_UP_AFTER_S)[0]
    assert process.returncode != 0
    assert "PORT must be a number from 1 to 65535." in printed
    assert "Traceback" not in printed


@pytest.mark.parametrize("where", exhaustive.after(1, ["on another port", "on its port"]))
def test_second_run_is_refused_and_leaves_the_first_alone(tree: Tree, where: str) -> None:
    """It says where Latchkey runs already; the first serves on, with its database and the operator's commands."""
    first = tree.start()
    if where == "on another port":
        tree.port = _port_that_stays_free()
    printed = tree.refused_start()
    assert f"Latchkey runs already at {first.url}" in printed
    assert "LATCHKEY_BRNAD is no setting" in tree.refused_start(LATCHKEY_BRNAD="x")
    assert "Traceback" not in printed
    assert len(tree.engines()) == 1
    assert first.get("/v1/users/me", tree.make("key", "EMAIL=pro@example.com").strip())["tier"] == "pro"
    assert "Stopped." in first.interrupt(signal.SIGINT)
    assert len(tree.start().keys) == 0


def test_second_run_is_refused_while_the_first_starts(tree: Tree) -> None:
    """Before it serves, too, when its port says nothing of it yet."""
    tree.start(until="Created")
    assert "Latchkey runs already" in tree.refused_start()
    assert len(tree.engines()) == 1


def _printed(output: IO[str], until: str, *, anywhere: bool = False) -> str:
    printed = ""
    for line in output:
        printed += line
        if line.startswith(until) or (anywhere and until in line):
            return printed
    raise AssertionError(f"`make run` ended before it printed {until!r}:\n{printed}")


def _processes() -> Iterator[tuple[int, str]]:
    """Return every process of this machine that can be seen: id and command line."""
    if Path("/proc/self/cmdline").exists():
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                try:
                    yield int(folder.name), (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                except OSError:
                    continue  # ended meanwhile
    else:
        listing = subprocess.run(["ps", "-axo", "pid=,args="], capture_output=True, text=True, check=True).stdout
        for line in listing.splitlines():
            pid, _, command = line.strip().partition(" ")
            yield int(pid), command


def _port_that_stays_free() -> int:
    """Return a port below those that the system hands out: nobody takes it by chance while `make run` is down."""
    return next(port for port in random.sample(range(20_000, 30_000), 100) if _nothing_listens(port))


def _nothing_listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
