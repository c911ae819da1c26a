"""One server for all clients, and for each test a new user with a browser."""

from collections.abc import Iterator

import pytest

from infra.browser import Browser
from tests.browser.console import Console, served
from tests.oauth_clients.browser_user import BrowserUser


@pytest.fixture(scope="session")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A running server with its own database engine."""
    with served(tmp_path_factory.mktemp("oauth")) as running:
        yield running


@pytest.fixture
def user(console: Console) -> BrowserUser:
    """A user with an account."""
    return BrowserUser(console, console.user(), Browser(console.url))
