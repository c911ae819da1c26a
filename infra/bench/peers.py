"""The environments of the compared libraries, under `.local/bench`: a virtual environment and a `node_modules`.

Each is installed completely from `infra/requirements/bench.txt` or the lock file in `peers/`, into a folder of its own
for each set of pins. A library that can't be installed is not measured. After a change of
`peers/package.json`, in that folder: `npm install --package-lock-only --omit-lockfile-registry-resolved`.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from infra import pinned
from infra.pinned import LOCAL

HERE = Path(__file__).parent
PINS = HERE / "peers"
HOME = LOCAL / "bench"
LOG = HOME / "bench.log"
PROGRAMS = HERE / "contenders"
_COMPILED = ("better-sqlite3",)
"""Packages with a C++ part, which they download or compile: where that fails, the others can still be measured."""


@dataclass(frozen=True, slots=True)
class Homes:
    """The peers' environments; None is one that couldn't be installed."""

    python: Path | None
    node: Path | None


def install() -> Homes:
    """Return both environments; install missing ones."""
    HOME.mkdir(parents=True, exist_ok=True)
    return Homes(_tried(_python), _tried(_node))


def versions() -> dict[str, str]:
    """Return the versions of all peers."""
    python = re.findall(r"^([\w.-]+)==(\S+)", (pinned.REQUIREMENTS / "bench.in").read_text(), re.MULTILINE)
    node: dict[str, str] = json.loads((PINS / "package.json").read_text())["dependencies"]
    return dict(python) | node


def _tried(environment: Callable[[], Path]) -> Path | None:
    try:
        return environment()
    except (subprocess.CalledProcessError, OSError) as error:
        print(f"Not all peers can be installed ({error}); see {LOG.relative_to(LOCAL.parent)}.", file=sys.stderr)
        return None


def _python() -> Path:
    """Return the interpreter of the Python peers."""
    return pinned.python_programs("bench", announced="Installing the Python peers (once) …") / "python"


def _node() -> Path:
    """Return the folder of the Node.js peers, with current copies of the programs."""
    home = _home("node", "package.json", "package-lock.json")
    if not _is_whole(home):
        print("Installing the Node.js peers (once) …", flush=True)
        home.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy2(PINS / name, home)
        _run(["npm", "ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"], home)
        for package in _COMPILED:
            _compile(package, home)
        _seal(home)
    for program in PROGRAMS.glob("*.mjs"):
        shutil.copy2(program, home)
    return home


def _compile(package: str, home: Path) -> None:
    """Let a package download or compile its C++ part; a failure is reported when it is used."""
    node = shutil.which("node")
    headers = Path(node).resolve().parent.parent if node else home
    # Where Node.js came with its headers they are used; otherwise they are fetched.
    known = {"npm_config_nodedir": str(headers)} if (headers / "include" / "node" / "node.h").exists() else {}
    with suppress(subprocess.CalledProcessError):
        _run(["npm", "rebuild", "--silent", package], home, known)


def _run(command: list[str], folder: Path | None = None, environment: Mapping[str, str] | None = None) -> None:
    with LOG.open("ab") as log:
        subprocess.run(
            command, cwd=folder, env=os.environ | dict(environment or {}), stdout=log, stderr=log, check=True
        )


def _home(kind: str, *pins: str) -> Path:
    digest = hashlib.sha256(b"".join((PINS / name).read_bytes() for name in pins)).hexdigest()
    return HOME / f"{kind}-{digest[:12]}"


def _is_whole(home: Path) -> bool:
    """Return whether an environment is completely installed; remove an incomplete one."""
    if (home / ".whole").exists():
        return True
    shutil.rmtree(home, ignore_errors=True)
    return False


def _seal(home: Path) -> None:
    (home / ".whole").touch()
