"""Fixtures: one server for all client libraries, and for each test a new user with a browser."""

from collections.abc import Iterator

import pytest

from infra.browser import Browser
from tests.browser.console import Console, served
from tests.oauth_clients.browser_user import BrowserUser


@pytest.fixture(scope="session")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A running server with a DynamoDB emulator that no other test uses."""
    with served(tmp_path_factory.mktemp("oauth")) as running:
        yield running


@pytest.fixture
def user(console: Console) -> BrowserUser:
    """A new user with an account and a browser."""
    return BrowserUser(console, console.user(), Browser(console.url))
