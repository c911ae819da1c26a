"""Copies of parts of this checkout, made while other tests run in it."""

import shutil
from pathlib import Path


def copy_part(part: Path, to: Path) -> None:
    """Copy a file or a folder, except temporary files of Python's bytecode, which may vanish during the copy."""
    if part.is_dir():
        shutil.copytree(part, to, ignore=shutil.ignore_patterns("*.pyc.*"))
    else:
        shutil.copy2(part, to)
