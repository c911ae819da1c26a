"""Copies of parts of this checkout, while other tests run in it."""

import shutil
from pathlib import Path


def copy_part(part: Path, to: Path) -> None:
    """Copy a file or a folder.

    Python writes bytecode to a temporary file first: such files may vanish during the copy.
    """
    if part.is_dir():
        shutil.copytree(part, to, ignore=shutil.ignore_patterns("*.pyc.*"))
    else:
        shutil.copy2(part, to)
