"""An account with a deployed stage in it."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.deploy.checkout import Checkout, copied
from tests.deploy.cloud import Cloud, serving


@dataclass(frozen=True, slots=True)
class Deployment:
    """The stage `dev`, deployed from a checkout into an account; `said` is what the owner read."""

    cloud: Cloud
    checkout: Checkout
    said: str


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """One deployment for all tests of a module."""
    with serving() as cloud:
        checkout = copied(tmp_path_factory.mktemp("checkout"), **cloud.environment)
        yield Deployment(cloud, checkout, checkout.succeeds("deploy", "dev"))
