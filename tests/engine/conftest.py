"""Fixtures of the tests on a DynamoDB emulator (dynoxide in memory), with a fleet of processes and a fault proxy."""

import io
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from chalicelib.core import clock, process_cache, settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from infra import data, engine
from tests.engine.fault_proxy import SILENT_FAULTS
from tests.engine.fleet import PUBLIC_URL, STAGE, Fleet
from tests.engine.hold_calls import HoldingProxy
from tests.engine.oauth_races import KINDS, RegisteredClient
from tests.support.harness import Clock, TestApp
from tests.support.mailbox import Mailbox, collect_emails
from tests.support.threaded_server import ENGINE_TIMEOUT_S

_seconds = count(1)


@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    """The URL of a DynamoDB emulator with empty tables, which all tests of the session share."""
    running = engine.start(None, say=False)
    with pytest.MonkeyPatch.context() as environment, settings.override(settings.Settings(stage=STAGE)):
        environment.setenv("AWS_ENDPOINT_URL", running.url)
        dynamodb.reset_connections()
        data.create_missing_tables()
        dynamodb.reset_connections()
    yield running.url
    running.stop()


@pytest.fixture(scope="session")
def fleet() -> Iterator[Fleet]:
    """Four processes with eight threads each."""
    started = Fleet()
    yield started
    started.stop()


@pytest.fixture
def proxy(url: str) -> Iterator[HoldingProxy]:
    """The proxy between the app and the DynamoDB emulator. A test can have it hold calls or make them fail."""
    running = HoldingProxy(url)
    yield running
    running.close()


@pytest.fixture
def logged() -> io.StringIO:
    """A buffer that collects the app's log lines and metrics."""
    return io.StringIO()


@pytest.fixture
def answers_within_s(request: pytest.FixtureRequest) -> int:
    """The app's read timeout, which is short only if the test withholds a response.

    In other tests it is long, because the app retries a call after a timeout. A retry would count a request twice, or
    send a held call twice.
    """
    callspec = getattr(request.node, "callspec", None)
    fault = callspec.params.get("fault") if callspec else None
    return dynamodb.READ_TIMEOUT_S if fault in SILENT_FAULTS else ENGINE_TIMEOUT_S


@pytest.fixture
def latchkey(
    proxy: HoldingProxy, logged: io.StringIO, answers_within_s: int, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TestApp]:
    """An app behind the proxy, with a test clock. Its randomness is real, because all tests share the emulator."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
    monkeypatch.setattr(dynamodb, "READ_TIMEOUT_S", answers_within_s)
    dynamodb.reset_connections()
    test_clock = Clock()
    with settings.override(settings.Settings(stage=STAGE, public_url=PUBLIC_URL)), clock.use_wall_clock(test_clock):
        telemetry.write_to(logged)
        process_cache.forget()
        yield TestApp(test_clock)
        process_cache.forget()
    telemetry.write_to(None)
    dynamodb.reset_connections()


@pytest.fixture
def box(latchkey: TestApp, tmp_path: Path) -> Iterator[Mailbox]:
    """The mailbox that receives all emails."""
    with collect_emails(tmp_path / "mail") as mailbox:
        yield mailbox


@pytest.fixture(params=KINDS)
def app(latchkey: TestApp, request: pytest.FixtureRequest) -> RegisteredClient:
    """A public and a confidential client."""
    return RegisteredClient(latchkey, request.param)


@pytest.fixture
def own_second(latchkey: TestApp) -> None:
    """Start in a second that no other test uses, so that no test uses up another test's burst."""
    latchkey.clock.forward(2 * next(_seconds))
