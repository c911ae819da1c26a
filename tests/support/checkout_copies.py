"""Copies of parts of this checkout, made while other tests run in it."""

import shutil
from pathlib import Path


def copy_part(part: Path, to: Path) -> None:
    """Copy a file, or a folder with all that is in it.

    Python writes a cache beside its place first: what has such a name is there now and gone a moment later.
    """
    if part.is_dir():
        shutil.copytree(part, to, ignore=shutil.ignore_patterns("*.pyc.*"))
    else:
        shutil.copy2(part, to)
