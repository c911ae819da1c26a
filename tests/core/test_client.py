"""Calls to DynamoDB: typed errors, retries, and the item that failed a condition."""

import socket
from pathlib import Path
from typing import Any

import pytest

from chalicelib.core import clock, settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import (
    ConditionFailed,
    CredentialsRejected,
    DynamoDBError,
    Throttled,
    Unreachable,
    classify_error,
    is_outage,
)
from tests.core.tcp_server import start_server
from tests.support.harness import TestApp

PUT = {"TableName": "latchkey-test-emails", "Item": {"email": {"S": "a@example.com"}, "account_id": {"S": "acc_1"}}}
IF_NEW = PUT | {
    "ConditionExpression": "attribute_not_exists(email)",
    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
}


def test_failed_condition_returns_the_item(latchkey: TestApp) -> None:
    """A failed condition returns the item, so that the caller needs no second call to find the reason."""
    dynamodb.call("PutItem", PUT)
    with pytest.raises(ConditionFailed) as raised:
        dynamodb.call("PutItem", IF_NEW)
    assert raised.value.item == PUT["Item"]


def test_failed_condition_is_not_retried(latchkey: TestApp) -> None:
    """A failed condition is not retried, because it is a result and not a failure."""
    dynamodb.call("PutItem", PUT)
    with telemetry.record_calls() as calls, pytest.raises(ConditionFailed):
        dynamodb.call("PutItem", IF_NEW)
    assert calls.made == [("PutItem", "latchkey-test-emails")]


def test_unknown_table_is_no_outage(latchkey: TestApp) -> None:
    """A missing table is an internal error, not an outage of the database, and the call isn't retried."""
    with telemetry.record_calls() as calls, pytest.raises(DynamoDBError) as failed:
        dynamodb.call("GetItem", {"TableName": settings.current().table("nothing"), "Key": {"id": {"S": "1"}}})
    assert (type(failed.value), failed.value.code) == (DynamoDBError, "ResourceNotFoundException")
    assert len(calls.made) == 1


def test_refused_connection_is_an_outage(cut_off: TestApp) -> None:
    """A refused connection is retried as often as the policy allows. Then an outage is raised."""
    with telemetry.record_calls() as calls, pytest.raises(Unreachable):
        dynamodb.call("GetItem", {"TableName": "latchkey-test-accounts", "Key": {"id": {"S": "1"}}}, dynamodb.FAIL_FAST)
    assert len(calls.made) == dynamodb.FAIL_FAST.unavailable


def make_sender_leaving_keys(batches: int) -> tuple[dynamodb.Send, list[dict[str, Any]]]:
    """Return a sender whose first responses leave keys unprocessed, and the list of its requests."""
    requests: list[dict[str, Any]] = []

    def send(_operation: str, body: dict[str, Any]) -> dict[str, Any]:
        requests.append(body)
        keys = body["RequestItems"]["t"]["Keys"]
        more = {"t": {"Keys": keys[1:]}} if len(requests) < batches else {}
        return {"Responses": {"t": keys if not more else keys[:1]}, "UnprocessedKeys": more}

    return send, requests


def test_unprocessed_keys_are_requested_after_a_pause() -> None:
    """Unprocessed keys are requested again after a pause, because DynamoDB leaves keys when it lacks capacity."""
    send, requests = make_sender_leaving_keys(3)
    pauses: list[float] = []
    with dynamodb.use_sender(send), clock.use_sleep(pauses.append):
        found = dynamodb.batch_get_table("t", [{"id": {"N": str(number)}} for number in range(5)], consistent=True)
    assert len(found) == 5
    assert (len(requests), len(pauses)) == (3, 2)


def test_permanently_unprocessed_keys_are_an_outage() -> None:
    """If keys are never processed, an outage is raised after a bounded number of calls."""
    send, requests = make_sender_leaving_keys(10**6)
    with dynamodb.use_sender(send), clock.use_sleep(lambda _: None), pytest.raises(Throttled) as failed:
        dynamodb.batch_get_table("t", [{"id": {"N": str(number)}} for number in range(100)], consistent=True)
    assert len(requests) == dynamodb.BATCHES_MAX
    assert is_outage(failed.value)


@pytest.mark.parametrize("code", ["InvalidSignatureException", "RequestTimeTooSkewed", "ExpiredTokenException"])
def test_rejected_credentials_are_sent_twice(code: str) -> None:
    """Rejected credentials are tried twice and then logged for the operator; they are not an outage."""
    requests: list[str] = []

    def send(operation: str, _body: dict[str, Any]) -> dict[str, Any]:
        requests.append(operation)
        raise classify_error({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": 400}})

    with dynamodb.use_sender(send), clock.use_sleep(lambda _: None), pytest.raises(CredentialsRejected) as failed:
        dynamodb.call("GetItem", {"TableName": "t"}, dynamodb.FAIL_FAST)
    assert requests == ["GetItem", "GetItem"]
    assert not is_outage(failed.value)


def test_second_try_uses_current_credentials(latchkey: TestApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second try reads the credentials again, because they may have changed since the process started."""
    keys: list[str] = []

    def serve(connection: socket.socket) -> None:
        while head := read_request(connection):
            keys.append(head.partition("Credential=")[2].partition("/")[0])
            body = b'{"__type":"x#ExpiredTokenException"}' if len(keys) == 1 else b"{}"
            monkeypatch.setenv("AWS_ACCESS_KEY_ID", "new")
            connection.sendall(
                b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (200 + 200 * (len(keys) < 2), len(body), body)
            )

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "old")
    with start_server(serve) as (server, _):
        for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{server.port}")
        dynamodb.reset_connections()
        assert dynamodb.call("GetItem", {"TableName": "t"}) == {}
    assert keys == ["old", "new"]


def read_request(connection: socket.socket) -> str:
    """Read one request including its body, and return the request as text; "" if the connection ends before."""
    text = ""
    while "\r\n\r\n" not in text or not text.endswith("}"):
        piece = connection.recv(65_536).decode()
        if not piece:
            return ""
        text += piece
    return text


def test_forgotten_connections_are_closed(latchkey: TestApp) -> None:
    """`forget` closes idle connections, and the next call reads the environment again."""
    sends = dynamodb.sender()
    assert dynamodb.sender() is sends
    dynamodb._create_own_sender()("PutItem", PUT)
    assert dynamodb._connections is not None
    assert len(dynamodb._connections._idle) == 1
    dynamodb.reset_connections()
    assert len(dynamodb._connections._idle) == 0
    assert dynamodb.sender() is not sends


def test_sender_is_restored_after_a_block(latchkey: TestApp) -> None:
    """The previous sender is restored after the block, even if the block fails."""
    sends = dynamodb.sender()

    def other(_operation: str, _body: dynamodb.Json) -> dynamodb.Json:
        return {}

    with pytest.raises(ValueError, match="fault"), dynamodb.use_sender(other):
        raise ValueError("fault")
    assert dynamodb.sender() is sends
    with dynamodb.use_sender(other):
        assert dynamodb.sender() is other


def test_missing_configuration_is_no_outage(latchkey: TestApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing region or missing credentials raise an error that says how to set them, not an outage."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "localhost:8001")
    dynamodb.reset_connections()
    with pytest.raises(DynamoDBError, match="Set AWS_ENDPOINT_URL to one like") as failed:
        dynamodb.call("GetItem", {"TableName": "t"})
    assert (type(failed.value), failed.value.code) == (DynamoDBError, "NotConfigured")


def test_timeouts_match_the_architecture_page() -> None:
    """The timeouts are those of the architecture page: one second to connect, one for the response."""
    page = (Path(__file__).parents[2] / "docs/architecture.md").read_text()
    assert "| a timeout (1 s), a broken connection, a 5xx, twice | the request passes" in page
    assert dynamodb.CONNECT_TIMEOUT_S == 1
    assert dynamodb.FAIL_FAST.unavailable == 2


def test_connections_follow_the_environment(latchkey: TestApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections trust the certificate authorities of AWS_CA_BUNDLE, as botocore does."""
    for bundle in ("/somewhere/authorities.pem", ""):
        monkeypatch.setenv("AWS_CA_BUNDLE", bundle)
        dynamodb.reset_connections()
        dynamodb.sender()
        made = dynamodb._connections
        assert made is not None
        assert made._ca_bundle == bundle
        assert (made._connect_timeout_s, made._read_timeout_s) == (dynamodb.CONNECT_TIMEOUT_S, dynamodb.READ_TIMEOUT_S)
