"""Check the files and folders of the checkout that a command reads or writes, before the command starts.

Chalice treats a missing `requirements.txt` as empty, and fails midway when a folder's path is a file.
"""

from pathlib import Path

from infra.failed import Mistake
from infra.pinned import LOCAL

NOTED, PACKAGES = Path(".chalice", "deployed"), Path(".chalice", "deployments")
FOLDERS = {"deploy": (NOTED, PACKAGES), "package": (PACKAGES,), "destroy": (NOTED,)}
"""The folders that each command writes to; missing folders are created."""
FILES = {"deploy": ("requirements.txt",), "package": ("requirements.txt",), "status": ("pyproject.toml",)}
"""The files that each command reads."""


def check(command: str, stage: str) -> None:
    """Raise Mistake, with the remedy, if a file or folder for a command on a stage is missing or unusable."""
    for folder in FOLDERS.get(command, ()):
        _check_folder(folder)
    if NOTED in FOLDERS.get(command, ()) and (NOTED / f"{stage}.json").is_dir():
        raise Mistake(f"{NOTED / stage}.json is a folder, and a file is written there: move it away.")
    for name in FILES.get(command, ()):
        _check_file(Path(name))


def check_local() -> None:
    """Raise Mistake if `.local`, the folder of local runs, exists but isn't a folder."""
    _check_folder(LOCAL, LOCAL.name)


def _check_folder(path: Path, name: str = "") -> None:
    if (path.exists() or path.is_symlink()) and not path.is_dir():
        raise Mistake(f"{name or path} is a file, and takes a folder: move it away, then run this again.")


def _check_file(path: Path) -> None:
    back = f"Take what was committed: git checkout {path}"
    try:
        path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise Mistake(f"{path} is missing. {back}") from error
    except OSError as error:
        raise Mistake(f"{path} can't be read ({error.strerror}). {back}") from error
    except ValueError as error:
        raise Mistake(f"{path} is not UTF-8. {back}") from error
