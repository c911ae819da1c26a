"""The people and clients of the flows."""

import pytest

from tests.oauth.flow import LOOPBACK, App, Person, registered, someone
from tests.support.harness import TestApp


@pytest.fixture
def ada(latchkey: TestApp) -> Person:
    """Somebody who is logged in."""
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
    """A public client on a machine of one's own."""
    return registered(latchkey, LOOPBACK, public=True)
