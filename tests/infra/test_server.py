"""The local HTTP server in front of the local gateway."""

import http.client
import json
import socket
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from infra.local_gateway.proxy_event import BODY_MAX_BYTES
from infra.server import Server
from tests.support.harness import TestApp

PIECE = b" " * 65_536


@pytest.fixture
def server(latchkey: TestApp) -> Iterator[Server]:
    """The app behind the local HTTP server."""
    with Server(latchkey.gateway.app, "127.0.0.1", 0) as started:
        threading.Thread(target=started.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield started
        finally:
            started.shutdown()


def send(
    server: Server, method: str, body: bytes | Iterable[bytes] | None = None, *, content_length: str | None = None
) -> tuple[http.client.HTTPResponse, Any]:
    """Send a request and return its response and parsed body; a body given in pieces is sent chunked."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port)
    headers = {"Content-Type": "application/json"}
    if content_length is not None:
        headers["Content-Length"] = content_length
    connection.request(method, "/v1/users/me", body, headers)
    response = connection.getresponse()
    parsed = json.load(response)
    connection.close()
    return response, parsed


def test_unknown_method_reaches_the_gateway(server: Server) -> None:
    """The server passes requests with any method to the gateway."""
    for method in ("TRACE", "QUERY", "BREW"):
        response, body = send(server, method)
        assert (response.status, body["error"]) == (404, "not_found")


@pytest.mark.parametrize("whole", [True, False], ids=["whole", "chunked"])
@pytest.mark.parametrize("length", [BODY_MAX_BYTES + 1, 11 * 1024 * 1024, 3 * BODY_MAX_BYTES])
def test_oversized_body_is_the_documented_413(server: Server, length: int, whole: bool) -> None:
    """An oversized body gets the documented 413 in JSON, even if the client sends all of it before it reads."""
    pieces = [PIECE] * (length // len(PIECE)) + [b" " * (length % len(PIECE))]
    response, body = send(server, "PATCH", b"".join(pieces) if whole else (piece for piece in pieces if piece))
    assert (response.status, body) == (413, {"error": "invalid_request", "message": "Request Too Long"})
    assert (response.getheader("Content-Type"), response.getheader("X-RateLimit-Limit")) == ("application/json", "0")
    assert response.getheader("x-amzn-RequestId")


@pytest.mark.parametrize("whole", [True, False], ids=["whole", "chunked"])
def test_longest_body_is_read(server: Server, whole: bool) -> None:
    """A body of the maximum length reaches the app."""
    pieces = [PIECE] * (BODY_MAX_BYTES // len(PIECE))
    response, body = send(server, "PATCH", b"".join(pieces) if whole else iter(pieces))
    assert (response.status, body["error"]) == (401, "missing_api_key")


@pytest.mark.parametrize("length", ["-1", "many", "1_0", "+1", "\xb2", "1, 2", "9" * 30])
def test_body_with_an_invalid_length_is_a_400(server: Server, length: str) -> None:
    """A request with an invalid Content-Length gets a 400 in JSON."""
    response, body = send(server, "PATCH", content_length=length)
    assert (response.status, body["error"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}!\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n",
    ],
)
def test_ambiguous_framing_is_a_400_and_closes_the_connection(server: Server, framing: bytes) -> None:
    """Ambiguous framing of a request is rejected, which prevents request smuggling."""
    with socket.create_connection(("127.0.0.1", server.server_port)) as connection:
        head = b"PATCH /v1/users/me HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n"
        connection.sendall(head + framing)
        connection.settimeout(60)
        received = b""
        while piece := connection.recv(65_536):
            received += piece
    assert received.startswith(b"HTTP/1.1 400 ")
    assert received.count(b"HTTP/1.1") == 1


def test_head_keeps_the_connection_usable(server: Server) -> None:
    """A response to HEAD has one Content-Length and no body, and the next response on the connection is complete."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port)
    lengths = []
    for method, path in (("HEAD", "/health"), ("GET", "/health"), ("HEAD", "/v1/users/me"), ("GET", "/v1/users/me")):
        connection.request(method, path)
        response = connection.getresponse()
        body = response.read()
        lengths.append(response.headers.get_all("Content-Length"))
        assert body == b"" if method == "HEAD" else json.loads(body)
    connection.close()
    assert lengths[0] == lengths[1]
    assert lengths[2] == lengths[3]
    assert [len(each or ()) for each in lengths] == [1, 1, 1, 1]
