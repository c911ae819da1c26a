"""Reading one answer of DynamoDB off a connection: whole, in time, and nothing behind it."""

import socket
from collections.abc import Iterator

import pytest

from chalicelib.core import clock, http_framing
from chalicelib.core.dynamodb import http_response
from chalicelib.core.dynamodb.http_response import Answer

FAR_NS = 10**12


class Pieces:
    """A connection on which these pieces come, and which keeps what its timeouts are set to."""

    def __init__(self, *pieces: bytes) -> None:
        """Hand them out one by one, then nothing."""
        self.left = iter(pieces)
        self.timeouts: list[float] = []
        self.sizes: list[int] = []

    def recv(self, size: int) -> bytes:
        """Return the next piece."""
        self.sizes.append(size)
        return next(self.left, b"")

    def settimeout(self, seconds: float) -> None:
        """Note how long is waited."""
        self.timeouts.append(seconds)


def read(*pieces: bytes, left_ns: int = FAR_NS) -> Answer:
    """Read an answer that comes in these pieces."""
    connection: socket.socket = Pieces(*pieces)  # type: ignore[assignment]  # all of it that is used
    return http_response.read(connection, clock.monotonic_ns() + left_ns)


def test_answer_is_status_headers_body_and_whether_the_connection_stays() -> None:
    """By its length or in chunks, in one piece or many."""
    whole = b"HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 2\r\n\r\nhi"
    expected = Answer(200, {"x-a": "b", "content-length": "2"}, b"hi", keep_alive=True)
    assert read(whole) == expected
    assert read(*(bytes([byte]) for byte in whole)) == expected
    chunked = b"HTTP/1.1 400 No\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n1\r\ni\r\n0\r\n\r\n"
    answer = read(chunked)
    assert (answer.status, answer.body, answer.keep_alive) == (400, b"hi", False)
    assert read(b"HTTP/1.1 204 None\r\n\r\n").body == b""
    assert read(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nh").body == b"h"
    assert read(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").body == b""


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nhi", "no length, or one that DynamoDB never sends"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 67108865\r\n\r\n", "no length, or one that DynamoDB never sends"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhim", "more than one response"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh", "the response is truncated"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n0\r\n\r\nX", "more than one response"),
    ],
)
def test_answer_that_is_not_exactly_one_is_none(answer: bytes, why: str) -> None:
    """Its end must be known, near, and the end of what came."""
    with pytest.raises(http_framing.Malformed, match=rf"^{why}$"):
        read(answer)


def test_longest_answer_that_is_waited_for_has_64_mb() -> None:
    """One byte more is refused by its length alone, and this one only because it doesn't come."""
    with pytest.raises(http_framing.Malformed, match=r"^the response is truncated$"):
        read(b"HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n")
    with pytest.raises(http_framing.Malformed, match=r"^no length"):
        read(b"HTTP/1.1 200 OK\r\nContent-Length: 67108865\r\n\r\n")


def test_only_an_answer_in_several_pieces_looks_at_the_clock() -> None:
    """For the first one the connection's own timeout counts; then what is left of the time."""
    whole = Pieces(b"HTTP/1.1 204 None\r\n\r\n")
    http_response.read(whole, 0)  # type: ignore[arg-type]  # as above
    assert (whole.timeouts, whole.sizes) == ([], [64 * 1024])
    dripping = Pieces(b"HTTP/1.1 204 ", b"None\r\n", b"\r\n")
    http_response.read(dripping, clock.monotonic_ns() + 10**10)  # type: ignore[arg-type]  # as above
    assert len(dripping.timeouts) == 2
    assert all(9 < left_s <= 10 for left_s in dripping.timeouts)


@pytest.mark.parametrize("left_ns", [0, -1, -(10**9)])
def test_rest_of_an_answer_is_not_waited_for_when_the_time_is_over(left_ns: int) -> None:
    """Though more would come."""
    with pytest.raises(TimeoutError, match=r"^the response took too long$"):
        read(b"HTTP/1.1 204 ", b"None\r\n\r\n", left_ns=left_ns)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a connection."""
    here, there = socket.socketpair()
    with here, there:
        yield here, there


def test_answer_is_read_off_a_socket(pair: tuple[socket.socket, socket.socket]) -> None:
    """As it comes."""
    here, there = pair
    there.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
    assert http_response.read(here, clock.monotonic_ns() + FAR_NS).body == b"hi"
