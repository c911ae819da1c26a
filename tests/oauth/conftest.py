"""The people and clients of the flows."""

import pytest

from tests.house import House
from tests.oauth.flow import LOOPBACK, App, Person, registered, someone


@pytest.fixture
def ada(home: House) -> Person:
    """Somebody who is logged in."""
    return someone(home)


@pytest.fixture
def app(home: House) -> App:
    """A confidential client."""
    return registered(home)


@pytest.fixture
def spa(home: House) -> App:
    """A public client with an https redirect."""
    return registered(home, public=True)


@pytest.fixture
def native(home: House) -> App:
    """A public client on a machine of one's own."""
    return registered(home, LOOPBACK, public=True)
