"""Users and clients for the tests of flows."""

import pytest

from tests.oauth.flow import LOOPBACK, App, Person, registered, someone
from tests.support.harness import TestApp


@pytest.fixture
def ada(latchkey: TestApp) -> Person:
    """A logged-in user."""
    return someone(latchkey)


@pytest.fixture
def app(latchkey: TestApp) -> App:
    """A confidential client."""
    return registered(latchkey)


@pytest.fixture
def spa(latchkey: TestApp) -> App:
    """A public client with an https redirect."""
    return registered(latchkey, public=True)


@pytest.fixture
def native(latchkey: TestApp) -> App:
    """A public client on the user's device."""
    return registered(latchkey, LOOPBACK, public=True)
