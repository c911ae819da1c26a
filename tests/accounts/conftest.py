"""Fixtures for the tests of accounts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.harness import TestApp
from tests.support.mailbox import Mailbox, collect_emails


@pytest.fixture
def box(latchkey: TestApp, tmp_path: Path) -> Iterator[Mailbox]:
    """The folder to which the test's emails are written."""
    with collect_emails(tmp_path / "mail") as kept:
        yield kept
