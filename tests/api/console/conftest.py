"""Fixtures of the console tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.harness import TestApp
from tests.support.mailbox import Mailbox, kept_in


@pytest.fixture
def box(latchkey: TestApp, tmp_path: Path) -> Iterator[Mailbox]:
    """The folder of the emails that this TestApp sends."""
    with kept_in(tmp_path / "mail") as kept:
        yield kept
