"""A DynamoDB response is read from a connection completely, in time, and without any byte after it."""

import socket
from collections.abc import Iterator

import pytest

from chalicelib.core import clock, http_framing
from chalicelib.core.dynamodb import http_response
from chalicelib.core.dynamodb.http_response import HttpResponse

FAR_NS = 10**12


class Pieces:
    """A connection that receives these pieces, and records its timeouts."""

    def __init__(self, *pieces: bytes) -> None:
        """Store the pieces that `recv` returns, followed by the end of the connection."""
        self.left = iter(pieces)
        self.timeouts: list[float] = []
        self.sizes: list[int] = []

    def recv(self, size: int) -> bytes:
        """Return the next piece."""
        self.sizes.append(size)
        return next(self.left, b"")

    def settimeout(self, seconds: float) -> None:
        """Record the timeout."""
        self.timeouts.append(seconds)


def read(*pieces: bytes, left_ns: int = FAR_NS) -> HttpResponse:
    """Read a response that arrives in these pieces."""
    connection: socket.socket = Pieces(*pieces)  # type: ignore[assignment]  # it has all used members
    return http_response.read(connection, clock.monotonic_ns() + left_ns)


def test_response_has_status_headers_body_and_keep_alive() -> None:
    """A response with a Content-Length or in chunks is read completely, received in one piece or in many."""
    whole = b"HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 2\r\n\r\nhi"
    expected = HttpResponse(200, {"x-a": "b", "content-length": "2"}, b"hi", keep_alive=True)
    assert read(whole) == expected
    assert read(*(bytes([byte]) for byte in whole)) == expected
    chunked = b"HTTP/1.1 400 No\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n1\r\ni\r\n0\r\n\r\n"
    response = read(chunked)
    assert (response.status, response.body, response.keep_alive) == (400, b"hi", False)
    assert read(b"HTTP/1.1 204 None\r\n\r\n").body == b""
    assert read(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nh").body == b"h"
    assert read(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").body == b""


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nhi", "no length, or one that DynamoDB never sends"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 67108865\r\n\r\n", "no length, or one that DynamoDB never sends"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhim", "more than one response"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh", "the response is truncated"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n0\r\n\r\nX", "more than one response"),
    ],
)
def test_response_must_end_exactly(response: bytes, reason: str) -> None:
    """A response is rejected if it states no length, is too long, is truncated, or is followed by more bytes."""
    with pytest.raises(http_framing.Malformed, match=rf"^{reason}$"):
        read(response)


def test_longest_response_has_64_mb() -> None:
    """A response may have 64 MB. A response that states a larger length is rejected before its body is read."""
    with pytest.raises(http_framing.Malformed, match=r"^the response is truncated$"):
        read(b"HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n")
    with pytest.raises(http_framing.Malformed, match=r"^no length"):
        read(b"HTTP/1.1 200 OK\r\nContent-Length: 67108865\r\n\r\n")


def test_clock_is_read_only_for_a_response_in_several_pieces() -> None:
    """The clock is read only for a response that arrives in several pieces."""
    whole = Pieces(b"HTTP/1.1 204 None\r\n\r\n")
    http_response.read(whole, 0)  # type: ignore[arg-type]  # as above
    assert (whole.timeouts, whole.sizes) == ([], [64 * 1024])
    dripping = Pieces(b"HTTP/1.1 204 ", b"None\r\n", b"\r\n")
    http_response.read(dripping, clock.monotonic_ns() + 10**10)  # type: ignore[arg-type]  # as above
    assert len(dripping.timeouts) == 2
    assert all(9 < left_s <= 10 for left_s in dripping.timeouts)


@pytest.mark.parametrize("left_ns", [0, -1, -(10**9)])
def test_response_is_not_awaited_after_the_deadline(left_ns: int) -> None:
    """After the deadline no further piece is read, even if more bytes would arrive."""
    with pytest.raises(TimeoutError, match=r"^the response took too long$"):
        read(b"HTTP/1.1 204 ", b"None\r\n\r\n", left_ns=left_ns)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a connection."""
    here, there = socket.socketpair()
    with here, there:
        yield here, there


def test_response_is_read_from_a_socket(pair: tuple[socket.socket, socket.socket]) -> None:
    """The pieces of a real socket are read as they arrive."""
    here, there = pair
    there.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
    assert http_response.read(here, clock.monotonic_ns() + FAR_NS).body == b"hi"
