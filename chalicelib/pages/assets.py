"""Static files, named by a hash of their content so that browsers can cache them for a year."""

import hashlib
from functools import lru_cache
from pathlib import Path

FOLDER = Path(__file__).with_name("static")
TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}


def path(name: str) -> str:
    """Return the path at which the file `name` is served."""
    return f"/static/{_hashed_name(name)}"


def find(hashed_name: str) -> tuple[str, str] | None:
    """Return the content type and the text of a file by its hashed name; None for an unknown name."""
    name = _names().get(hashed_name)
    if name is None:
        return None
    file = FOLDER / name
    return TYPES[file.suffix], file.read_text()


@lru_cache(maxsize=16)
def _hashed_name(name: str) -> str:
    file = FOLDER / name
    digest = hashlib.sha256(file.read_bytes()).hexdigest()[:12]
    return f"{file.stem}.{digest}{file.suffix}"


@lru_cache(maxsize=1)
def _names() -> dict[str, str]:
    return {_hashed_name(file.name): file.name for file in FOLDER.iterdir()}
