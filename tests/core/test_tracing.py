"""X-Ray tracing: one subsegment per DynamoDB call if Lambda traces the invocation, otherwise nothing."""

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.core import telemetry
from chalicelib.core.dynamodb import tracing
from chalicelib.core.dynamodb.errors import Unreachable
from chalicelib.limits import tiers
from tests.support.harness import TestApp

ROOT, PARENT = "1-5759e988-bd862e3fe1be46a994272793", "53995c3f42cd8ad8"


@pytest.fixture(autouse=True)
def closed_after() -> Iterator[None]:
    """Close the socket after a test; otherwise it stays open until the process ends."""
    yield
    tracing._socket().close()
    tracing._socket.cache_clear()


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A socket in place of the X-Ray daemon."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(30)
        monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", f"127.0.0.1:{listening.getsockname()[1]}")
        yield listening


def set_trace_header(monkeypatch: pytest.MonkeyPatch, *, sampled: str) -> None:
    """Set the variable that Lambda sets for each invocation."""
    monkeypatch.setenv("_X_AMZN_TRACE_ID", f"Root={ROOT};Parent={PARENT};Sampled={sampled};Lineage=1:a:0")


def receive_segments(daemon: socket.socket) -> list[dict[str, Any]]:
    """Return the received segments, each a header and a document (X-Ray's daemon protocol)."""
    # Datagrams of one socket arrive in order, so an empty one marks the end of the segments.
    tracing._socket().sendto(b"", daemon.getsockname())
    segments: list[dict[str, Any]] = []
    while datagram := daemon.recv(65_536):
        header, _, document = datagram.partition(b"\n")
        assert json.loads(header) == {"format": "json", "version": 1}
        segments.append(json.loads(document))
    return segments


def test_each_call_of_a_sampled_request_is_a_subsegment(
    latchkey: TestApp, daemon: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each call of a sampled request is a subsegment of the invocation, with operation, table and duration."""
    secret = latchkey.key(latchkey.account()).secret
    set_trace_header(monkeypatch, sampled="1")
    assert latchkey.call("GET", "/v1/limits", secret).status == 200
    segments = receive_segments(daemon)
    assert [segment["aws"] for segment in segments] == [
        {"operation": "GetItem", "table_name": "latchkey-test-credentials"},
        {"operation": "BatchGetItem", "table_name": ""},
        {"operation": "UpdateItem", "table_name": "latchkey-test-windows"},
    ]
    for segment in segments:
        assert (segment["trace_id"], segment["parent_id"], segment["type"]) == (ROOT, PARENT, "subsegment")
        assert (segment["name"], segment["namespace"]) == ("DynamoDB", "aws")
        assert not {"error", "fault"} & segment.keys()
        assert segment["start_time"] <= segment["end_time"]
    assert len({segment["id"] for segment in segments}) == 3
    assert secret not in json.dumps(segments)


def test_failed_condition_is_an_error_and_an_outage_a_fault(
    latchkey: TestApp, daemon: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a trace, a failed condition is marked as an error, and a missing response as a fault."""
    account = latchkey.account()
    secret = latchkey.key(account).secret
    latchkey.call("GET", "/v1/limits", secret)
    latchkey.set_counters(account.id, tiers.FREE, used=1000)
    set_trace_header(monkeypatch, sampled="1")
    assert latchkey.call("GET", "/v1/limits", secret).status == 429
    assert [(segment.get("error"), segment.get("fault")) for segment in receive_segments(daemon)] == [(True, None)]
    with pytest.raises(Unreachable), telemetry.dynamodb_call("GetItem", {"TableName": "t"}):
        raise Unreachable("ReadTimeoutError", "no response", {})
    assert [(segment.get("error"), segment.get("fault")) for segment in receive_segments(daemon)] == [(None, True)]


@pytest.mark.parametrize("header", [None, f"Root={ROOT};Parent={PARENT};Sampled=0", f"Root={ROOT}", "nonsense", ""])
def test_unsampled_request_sends_nothing(
    latchkey: TestApp, daemon: socket.socket, monkeypatch: pytest.MonkeyPatch, header: str | None
) -> None:
    """A request that Lambda doesn't sample sends no segment."""
    if header is not None:
        monkeypatch.setenv("_X_AMZN_TRACE_ID", header)
    assert latchkey.call("GET", "/v1/limits", latchkey.key(latchkey.account()).secret).status == 200
    assert receive_segments(daemon) == []


@pytest.mark.parametrize(
    "address", ["127.0.0.1:9", "nowhere.invalid:2000", "nonsense", "127.0.0.1:99999", "[::1]:2000"]
)
def test_missing_daemon_affects_nothing(latchkey: TestApp, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """A missing daemon neither fails nor delays a request."""
    monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", address)
    set_trace_header(monkeypatch, sampled="1")
    secret = latchkey.key(latchkey.account()).secret
    assert [latchkey.call("GET", "/v1/limits", secret).status for _ in range(3)] == [200] * 3


def test_header_is_split_into_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The trace header is split into its parts, any of which may be missing."""
    monkeypatch.delenv("_X_AMZN_TRACE_ID", raising=False)
    assert tracing.current() == {}
    set_trace_header(monkeypatch, sampled="0")
    assert tracing.current() == {"Root": ROOT, "Parent": PARENT, "Sampled": "0", "Lineage": "1:a:0"}


def test_subsegment_has_exactly_the_documented_fields(daemon: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """A subsegment has exactly the documented fields, and its id has 16 hex digits."""
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Sampled=1")
    with tracing.subsegment("GetItem", "t"):
        pass
    with pytest.raises(ValueError, match=r"^mine$"), tracing.subsegment("PutItem", "t"):
        raise ValueError("mine")
    segments = receive_segments(daemon)
    assert all(len(segment.pop("id")) == 16 for segment in segments)
    assert all(0 <= segment.pop("end_time") - segment.pop("start_time") < 60 for segment in segments)
    shared = {"trace_id": "", "parent_id": "", "name": "DynamoDB", "type": "subsegment", "namespace": "aws"}
    assert segments == [
        shared | {"aws": {"operation": "GetItem", "table_name": "t"}},
        shared | {"aws": {"operation": "PutItem", "table_name": "t"}, "fault": True},
    ]


def test_daemon_is_never_waited_for() -> None:
    """The socket to the daemon is non-blocking and is created once."""
    assert tracing._socket().getblocking() is False
    assert tracing._socket() is tracing._socket()
