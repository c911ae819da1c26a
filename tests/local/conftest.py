"""Fixtures for the tests of `make run`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra import engine
from tests.local.make_run import Tree


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Tree]:
    """A fresh copy of the repository."""
    if engine.dynoxide(say=False) is None:
        pytest.skip("Without dynoxide local data is durable after a clean stop only, as `make run` says on start.")
    made = Tree(tmp_path)
    yield made
    made.clean()
