"""One server for all examples, on which each example has an account of its own."""

from collections.abc import Iterator

import pytest

from tests.examples.served import Served, served


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A running server."""
    with served(tmp_path_factory.mktemp("server")) as running:
        yield running
