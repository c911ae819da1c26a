"""Fixtures for the OAuth tests: a user and clients."""

import pytest

from tests.oauth.flow import LOOPBACK, App, User, new_user, register_client
from tests.support.harness import TestApp


@pytest.fixture
def ada(latchkey: TestApp) -> User:
    """A logged-in user."""
    return new_user(latchkey)


@pytest.fixture
def app(latchkey: TestApp) -> App:
    """A confidential client."""
    return register_client(latchkey)


@pytest.fixture
def spa(latchkey: TestApp) -> App:
    """A public client with an https redirect URI."""
    return register_client(latchkey, public=True)


@pytest.fixture
def native(latchkey: TestApp) -> App:
    """A public client on the user's device."""
    return register_client(latchkey, LOOPBACK, public=True)
