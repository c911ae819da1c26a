"""Fixtures: a local house, whose receivers may be on the same machine, and a receiver."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from chalicelib.core import settings
from tests.house import House
from tests.receiver import PUBLIC_URL, Receiver, listening


@pytest.fixture
def local(home: House) -> Iterator[House]:
    """A house that says it runs on this machine."""
    with settings.in_use(replace(settings.current(), public_url=PUBLIC_URL)):
        yield home


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that answers 204."""
    with listening() as made:
        yield made
