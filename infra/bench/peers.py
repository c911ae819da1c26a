"""Install the compared libraries under `.local/bench`: a virtual environment for Python, `node_modules` for Node.js.

Versions are pinned in `infra/requirements/bench.txt` and in the lock file in `peers/`. Changed pins are installed into
another folder. A library that can't be installed isn't measured. After a change of `peers/package.json`, update the
lock file: run `npm install --package-lock-only --omit-lockfile-registry-resolved` in `peers/`.
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
"""Packages that download or compile a C++ module. If that fails, the other packages can still be measured."""


@dataclass(frozen=True, slots=True)
class Homes:
    """The Python interpreter and the Node.js folder of the compared libraries; None if the installation failed."""

    python: Path | None
    node: Path | None


def install() -> Homes:
    """Return the Python and the Node.js environment, after installing them if necessary."""
    HOME.mkdir(parents=True, exist_ok=True)
    return Homes(_try(_python), _try(_node))


def versions() -> dict[str, str]:
    """Return the versions of all compared libraries."""
    python = re.findall(r"^([\w.-]+)==(\S+)", (pinned.REQUIREMENTS / "bench.in").read_text(), re.MULTILINE)
    node: dict[str, str] = json.loads((PINS / "package.json").read_text())["dependencies"]
    return dict(python) | node


def _try(environment: Callable[[], Path]) -> Path | None:
    try:
        return environment()
    except (subprocess.CalledProcessError, OSError) as error:
        print(f"Some libraries can't be installed ({error}); see {LOG.relative_to(LOCAL.parent)}.", file=sys.stderr)
        return None


def _python() -> Path:
    """Return the Python interpreter of the environment with the compared Python libraries."""
    return pinned.python_programs("bench", announced="Installing the Python libraries (once) …") / "python"


def _node() -> Path:
    """Return the folder with the compared Node.js libraries and current copies of the contenders' programs."""
    home = _home("node", "package.json", "package-lock.json")
    if not _is_whole(home):
        print("Installing the Node.js libraries (once) …", flush=True)
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
    """Download or compile a package's C++ module. Failures are ignored here; the package then can't be measured."""
    node = shutil.which("node")
    headers = Path(node).resolve().parent.parent if node else home
    # If Node.js was installed with its C++ headers, use these. Otherwise npm downloads them.
    settings = {"npm_config_nodedir": str(headers)} if (headers / "include" / "node" / "node.h").exists() else {}
    with suppress(subprocess.CalledProcessError):
        _run(["npm", "rebuild", "--silent", package], home, settings)


def _run(command: list[str], folder: Path | None = None, environment: Mapping[str, str] | None = None) -> None:
    with LOG.open("ab") as log:
        subprocess.run(
            command, cwd=folder, env=os.environ | dict(environment or {}), stdout=log, stderr=log, check=True
        )


def _home(kind: str, *pins: str) -> Path:
    digest = hashlib.sha256(b"".join((PINS / name).read_bytes() for name in pins)).hexdigest()
    return HOME / f"{kind}-{digest[:12]}"


def _is_whole(home: Path) -> bool:
    """Return whether an environment is completely installed; if it isn't, remove it."""
    if (home / ".whole").exists():
        return True
    shutil.rmtree(home, ignore_errors=True)
    return False


def _seal(home: Path) -> None:
    (home / ".whole").touch()
