"""Fixtures of the tests of accounts: the mailbox."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.harness import TestApp
from tests.support.mailbox import Mailbox, kept_in


@pytest.fixture
def box(latchkey: TestApp, tmp_path: Path) -> Iterator[Mailbox]:
    """The folder to which the test's emails are written."""
    with kept_in(tmp_path / "mail") as kept:
        yield kept
