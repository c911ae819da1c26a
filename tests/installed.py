"""What tests install from npm: once, whole or not at all, however many workers ask for it at the same moment."""

import fcntl
import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from infra.engine import LOCAL

PINS = ("package.json", "package-lock.json")


def pinned(folder: Path, name: str) -> Path:
    """Return a `node_modules` that holds what `folder` pins, kept under `name`."""
    pins = hashlib.sha256(b"".join((folder / pin).read_bytes() for pin in PINS)).hexdigest()[:16]

    def install(making: Path) -> None:
        for pin in PINS:
            shutil.copy2(folder / pin, making)
        command = ["npm", "ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]
        subprocess.run(command, cwd=making, check=True, capture_output=True)

    return once(LOCAL / name / pins, install) / "node_modules"


def once(prefix: Path, install: Callable[[Path], None]) -> Path:
    """Return the folder `prefix`, made by `install` in a folder beside it if it isn't there yet."""
    prefix.parent.mkdir(parents=True, exist_ok=True)
    with (LOCAL / f"{prefix.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not prefix.exists():
            assert shutil.which("npm"), "Install Node.js 20 or newer with npm: some tests need packages from there."
            with tempfile.TemporaryDirectory(dir=LOCAL) as beside:
                making = Path(beside) / "npm"
                making.mkdir()
                install(making)
                making.rename(prefix)
    return prefix
