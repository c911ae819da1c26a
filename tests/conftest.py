"""Fixtures of all tests: a test app on moto, in one process."""

import os
import socket
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from moto import mock_aws
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.dynamodb.models import dynamodb_backends
from moto.ses.models import ses_backends

# These are set before any client is created, because a test must never reach a real AWS account.
os.environ |= {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_SESSION_TOKEN": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_PROFILE", "LATCHKEY_PUBLIC_URL"):
    os.environ.pop(name, None)

# Hypothesis is deterministic and has no deadlines, which busy machines would exceed.
hypothesis.settings.register_profile("fixed", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("fixed")

from chalicelib.core import settings  # noqa: E402 - the environment comes first
from chalicelib.core.dynamodb import client as dynamodb  # noqa: E402 - the environment comes first
from infra import data  # noqa: E402 - the environment comes first
from tests.support import (  # noqa: E402 - the environment comes first
    botocore_parity,
    cheap_hashing,
    exhaustive,
    moto_server,
    stored_items,
)
from tests.support.harness import TestApp, run_app  # noqa: E402
from tests.support.webhook_receiver import PUBLIC_URL, Receiver, run_receiver  # noqa: E402 - the environment comes first

# A process reads its settings once: read them here, before a test changes the environment.
settings.current()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Run two workers per core, because tests often wait for browsers, engines, emulators and package indexes."""
    return (os.cpu_count() or 1) * 2


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the cases that only exhaustive runs include."""
    if exhaustive.IS_ENABLED or config.getoption("markexpr"):
        return
    config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("exhaustive")])
    items[:] = [item for item in items if not item.get_closest_marker("exhaustive")]


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    """The URL of moto's DynamoDB; moto also mocks all other AWS services."""
    with mock_aws(), moto_server.serve_moto() as url:
        yield url


@pytest.fixture(scope="session")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the workers of a run record which DynamoDB calls they compared with botocore."""
    own = tmp_path_factory.getbasetemp()
    return (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "compared"


@pytest.fixture
def latchkey(
    moto_url: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, compared: Path
) -> Iterator[TestApp]:
    """A test app with empty tables, on moto."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", moto_url)
    monkeypatch.setattr(dynamodb, "READ_TIMEOUT_S", moto_server.RESPONSE_TIMEOUT_S)
    cheap_hashing.hash_cheaply(monkeypatch)
    dynamodb.reset_connections()
    ses_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].reset()
    with (
        run_app() as made,
        botocore_parity.compare_with_botocore(compared) if botocore_parity.is_enabled() else nullcontext(),
    ):
        create_empty_tables()
        yield made
    stored_items.check(_tables.values(), made_up=request.node.get_closest_marker("made_up_events") is not None)
    dynamodb.reset_connections()


@pytest.fixture
def local(latchkey: TestApp) -> Iterator[TestApp]:
    """A test app with a loopback URL, which may send webhooks to receivers on this machine."""
    with settings.override(replace(settings.current(), public_url=PUBLIC_URL)):
        yield latchkey


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A webhook receiver on this machine that responds with 204."""
    with run_receiver() as made:
        yield made


@pytest.fixture
def cut_off(monkeypatch: pytest.MonkeyPatch) -> Iterator[TestApp]:
    """A test app whose database refuses connections."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{taken.getsockname()[1]}")
        dynamodb.reset_connections()
        with run_app() as made:
            yield made
    dynamodb.reset_connections()


_tables: dict[str, Any] = {}


def create_empty_tables() -> None:
    """Restore moto's tables and empty them, which is faster than creating tables for each test."""
    backend = dynamodb_backends[DEFAULT_ACCOUNT_ID]["us-east-1"]
    for table in _tables.values():
        table.items.clear()
    backend.tables.update(_tables)
    if not _tables:
        data.create_missing_tables()
        # moto would keep the stream's records for all later tests, and copy them with each transaction.
        for table in backend.tables.values():
            table.set_stream_specification(None)
            table.stream_shard = None
        _tables.update(backend.tables)
