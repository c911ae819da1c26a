"""Calls to DynamoDB can be sent through botocore instead of Latchkey's own client, by a setting.

`tests/support/botocore_parity.py` compares both clients over the whole suite.
"""

import inspect
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from botocore.client import BaseClient

from chalicelib.core import clock, errors, settings
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.connection_pool import IDLE_MAX
from chalicelib.core.dynamodb.errors import DynamoDBError, Unreachable, is_outage
from tests.core.tcp_server import start_server
from tests.support.harness import TestApp


def test_setting_selects_botocore(latchkey: TestApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the setting is on, calls use botocore's client and have the same results."""
    sent: list[str] = []
    send: Callable[..., dict[str, Any]] = BaseClient._make_api_call

    def make_api_call(client: Any, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        sent.append(operation)
        return send(client, operation, request)

    monkeypatch.setattr(BaseClient, "_make_api_call", make_api_call)
    dynamodb.reset_connections()
    with settings.override(replace(settings.current(), wire="botocore")):
        account = latchkey.account()
        assert latchkey.call("GET", "/v1/users/me", latchkey.key(account).secret).status == 200
        with pytest.raises(errors.Conflict):
            latchkey.account(email=account.email)
    assert {"TransactWriteItems", "GetItem", "UpdateItem"} <= set(sent)


@pytest.fixture
def by_botocore(latchkey: TestApp) -> Iterator[TestApp]:
    """The test app, whose calls use botocore's client and whose pauses before retries take no time."""
    dynamodb.reset_connections()
    with (
        settings.override(replace(settings.current(), wire="botocore")),
        clock.use_sleep(lambda _seconds: None),
    ):
        yield latchkey


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (b"HTTP/1.1 500 X\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}", Unreachable),
        (b"", Unreachable),
        (
            b'HTTP/1.1 400 X\r\nContent-Length: 34\r\nConnection: close\r\n\r\n{"__type":"x#ValidationException"}',
            DynamoDBError,
        ),
    ],
    ids=["fault", "nothing", "rejection"],
)
def test_calls_are_retried_as_often_with_botocore(
    by_botocore: TestApp, monkeypatch: pytest.MonkeyPatch, response: bytes, kind: type[DynamoDBError]
) -> None:
    """The retry policy alone decides how often a call is tried, because botocore's own retries are disabled."""
    requests: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        requests.append(connection.recv(65_536))
        connection.sendall(response)

    with start_server(serve) as (server, _):
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", f"http://127.0.0.1:{server.port}")
        with pytest.raises(kind) as failed:
            dynamodb.call("GetItem", {"TableName": "t", "Key": {"id": {"S": "1"}}}, dynamodb.FAIL_FAST)
    assert type(failed.value) is kind
    assert len(requests) == (dynamodb.FAIL_FAST.unavailable if kind is Unreachable else 1)


def test_refused_connection_is_an_outage_with_botocore(by_botocore: TestApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """With botocore's client, a refused connection is an outage and is retried."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", f"http://127.0.0.1:{port}")
    with pytest.raises(Unreachable) as failed:
        dynamodb.call("GetItem", {"TableName": "t", "Key": {"id": {"S": "1"}}}, dynamodb.FAIL_FAST)
    assert failed.value.code == "EndpointConnectionError"


def test_missing_credentials_are_no_outage_with_botocore(by_botocore: TestApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """With botocore's client, missing credentials are not an outage and not retried, because nothing was sent."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(DynamoDBError) as failed:
        dynamodb.call("GetItem", {"TableName": "t"})
    assert (type(failed.value), failed.value.code) == (DynamoDBError, "NoCredentialsError")
    assert not is_outage(failed.value)


def test_botocore_client_has_the_same_timeouts_and_pool_size(by_botocore: TestApp) -> None:
    """Botocore's client has the same timeouts and pool size, and its own retries are disabled."""
    config = inspect.getclosurevars(dynamodb._create_botocore_sender()).nonlocals["client"].meta.config
    assert (config.connect_timeout, config.read_timeout) == (dynamodb.CONNECT_TIMEOUT_S, dynamodb.READ_TIMEOUT_S)
    assert config.max_pool_connections == IDLE_MAX
    assert config.retries["total_max_attempts"] == 1


def test_botocore_client_does_not_validate_parameters(by_botocore: TestApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """Botocore's client doesn't validate parameters, because DynamoDB does, and validation would take too long."""

    def serve(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 200 X\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")

    with start_server(serve) as (server, _):
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", f"http://127.0.0.1:{server.port}")
        assert "Item" not in dynamodb.call("GetItem", {"TableName": "t"})
