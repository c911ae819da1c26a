"""Fixtures of the tests of pages: where mail goes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house import House
from tests.letterbox import Letterbox, kept_in


@pytest.fixture
def box(home: House, tmp_path: Path) -> Iterator[Letterbox]:
    """The folder that this house's mail falls into."""
    with kept_in(tmp_path / "mail") as kept:
        yield kept
