"""Install pinned programs once into separate environments under `.local/`, and check every hash.

Python programs are pinned in `infra/requirements/<name>.txt`, npm packages in a folder's lock file. Changed pins are
installed into another environment.
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
    """Return the folder with the programs that `infra/requirements/<name>.txt` pins, and with `python`.

    `announced` is printed before an installation. Raises CalledProcessError if the installation fails.
    """
    pins = REQUIREMENTS / f"{name}.txt"
    digest = hashlib.sha256(pins.read_bytes()).hexdigest()[:16]

    def install(home: Path) -> None:
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        install = ["install", "-q", "--disable-pip-version-check", "--require-hashes", "-r", str(pins)]
        subprocess.run([str(home / "bin" / "python"), "-m", "pip", *install], check=True, stdout=sys.stderr)

    return _install_once(LOCAL / name / digest, install, announced) / "bin"


def node_modules(folder: Path, name: str, *, announced: str = "") -> Path:
    """Return a `node_modules` with the packages of the lock file in `folder`, stored under `name`.

    Raises CalledProcessError if the installation fails, and FileNotFoundError if npm is missing.
    """
    digest = hashlib.sha256(b"".join((folder / pin).read_bytes() for pin in NPM_PINS)).hexdigest()[:16]

    def install(home: Path) -> None:
        home.mkdir()
        for pin in NPM_PINS:
            shutil.copy2(folder / pin, home)
        command = ["npm", "ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]
        subprocess.run(command, cwd=home, check=True, capture_output=True)

    return _install_once(LOCAL / name / digest, install, announced) / "node_modules"


def _install_once(home: Path, install: Callable[[Path], None], announced: str) -> Path:
    """Call `install` for the folder `home`, unless an earlier call has completed; return `home`.

    If several processes call this concurrently, one installs and the others wait. An incomplete installation is removed
    first.
    """
    home.parent.mkdir(parents=True, exist_ok=True)
    finished = home.with_name(f"{home.name}.finished")
    with home.with_name(f"{home.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not finished.exists():
            if announced:
                print(announced, flush=True)
            shutil.rmtree(home, ignore_errors=True)
            # Install in the final folder, because a virtual environment can't be moved.
            install(home)
            finished.touch()
    return home


if __name__ == "__main__":
    print(python_programs(sys.argv[1]))
