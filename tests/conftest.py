"""Fixtures of every test: a fresh house on moto, in one process."""

import os
from collections.abc import Iterator

import pytest
from moto import mock_aws

# Before anything makes a client: a test must never reach a real account.
os.environ |= {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_SESSION_TOKEN": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_PROFILE", "LATCHKEY_PUBLIC_URL"):
    os.environ.pop(name, None)

from infra import data  # noqa: E402 - the environment comes first
from tests.house import House, house  # noqa: E402


@pytest.fixture
def home() -> Iterator[House]:
    """A house with empty tables, on moto."""
    with mock_aws(), house() as made:
        data.create_missing_tables()
        yield made
