"""Pinned programs in environments of their own under `.local/`: installed once, with every hash checked.

From PyPI by `infra/requirements/<name>.txt`, from npm by a folder's lock file. Other pins get another folder.
"""

import fcntl
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent
LOCAL = ROOT / ".local"
REQUIREMENTS = Path(__file__).parent / "requirements"
NPM_PINS = ("package.json", "package-lock.json")


def python_programs(name: str, *, announced: str = "") -> Path:
    """Return the folder of the programs that `infra/requirements/<name>.txt` pins, `python` among them.

    `announced` is printed before something is installed. Raises CalledProcessError when the installation fails.
    """
    pins = REQUIREMENTS / f"{name}.txt"
    digest = hashlib.sha256(pins.read_bytes()).hexdigest()[:16]

    def install(home: Path) -> None:
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        install = ["install", "-q", "--disable-pip-version-check", "--require-hashes", "-r", str(pins)]
        subprocess.run([str(home / "bin" / "python"), "-m", "pip", *install], check=True, stdout=sys.stderr)

    return _installed_once(LOCAL / name / digest, install, announced) / "bin"


def node_modules(folder: Path, name: str, *, announced: str = "") -> Path:
    """Return a `node_modules` with the packages of the lock file in `folder`, stored under `name`.

    Raises CalledProcessError when the installation fails, FileNotFoundError when npm is missing.
    """
    digest = hashlib.sha256(b"".join((folder / pin).read_bytes() for pin in NPM_PINS)).hexdigest()[:16]

    def install(home: Path) -> None:
        home.mkdir()
        for pin in NPM_PINS:
            shutil.copy2(folder / pin, home)
        command = ["npm", "ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]
        subprocess.run(command, cwd=home, check=True, capture_output=True)

    return _installed_once(LOCAL / name / digest, install, announced) / "node_modules"


def _installed_once(home: Path, install: Callable[[Path], None], announced: str) -> Path:
    """Return `home`, installed by `install` unless an earlier call has completed it.

    Of several concurrent processes one installs and the others wait; a killed installation is removed first.
    """
    home.parent.mkdir(parents=True, exist_ok=True)
    finished = home.with_name(f"{home.name}.finished")
    with home.with_name(f"{home.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not finished.exists():
            if announced:
                print(announced, flush=True)
            shutil.rmtree(home, ignore_errors=True)
            # Installed in place: a virtual environment can't be moved.
            install(home)
            finished.touch()
    return home


if __name__ == "__main__":
    print(python_programs(sys.argv[1]))
