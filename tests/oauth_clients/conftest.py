"""One server for all clients; for each test somebody new with a browser of their own."""

from collections.abc import Iterator

import pytest

from infra.browser import Browser
from tests.browser.console import Console, served
from tests.oauth_clients.someone import Someone


@pytest.fixture(scope="session")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A running server on an engine of its own."""
    with served(tmp_path_factory.mktemp("oauth")) as running:
        yield running


@pytest.fixture
def someone(console: Console) -> Someone:
    """Somebody with an account."""
    return Someone(console, console.user(), Browser(console.url))
