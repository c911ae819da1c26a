"""Read one complete DynamoDB response from a socket, in as few steps as possible.

The standard library isn't used, because it parses every head as an email, which takes five times as long as the rest of
a call. Stricter than `http_framing`: a response is an error if only the end of the connection marks its end, because
DynamoDB never sends such a response.
"""

import socket
from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.core import clock, http_framing

BODY_MAX = 64 * 1024 * 1024
"""The maximum size of a response body. DynamoDB sends at most 16 MB of items, which are longer as JSON."""
_PIECE = 64 * 1024


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A response. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    keep_alive: bool = True
    """Whether the connection can be used for another request."""


def read(connection: socket.socket, until_ns: int) -> HttpResponse:
    """Read one complete response.

    The first piece must arrive within the connection's own timeout, and all further pieces before `until_ns`. Raises
    ValueError when the response is malformed or truncated, and OSError when the connection fails or times out.
    """
    receive = _Receiver(connection, until_ns)
    stream = http_framing.ResponseStream(receive)
    head = http_framing.read_head(stream, "POST")
    if head.length == http_framing.UNTIL_CLOSE or head.length > BODY_MAX:
        raise http_framing.Malformed("no length, or one that DynamoDB never sends")
    body = _join_chunks(stream, head) if head.length == http_framing.CHUNKED else stream.read_exactly(head.length)
    if stream.unread:
        # On a kept-alive connection, extra bytes would be read as the response to the next request.
        raise http_framing.Malformed("more than one response")
    return HttpResponse(head.status, head.headers, body, head.keep_alive)


def _join_chunks(stream: http_framing.ResponseStream, head: http_framing.Head) -> bytes:
    body = bytearray()
    for piece in http_framing.read_body(stream, head):
        body += piece
        if len(body) > BODY_MAX:
            raise http_framing.Malformed("the body is too long")
    return bytes(body)


class _Receiver:
    """A function that receives bytes from a connection.

    Most responses arrive in one piece, so the clock is read only from the second piece on.
    """

    __slots__ = ("_connection", "_has_started", "_until_ns")

    def __init__(self, connection: socket.socket, until_ns: int) -> None:
        self._connection, self._until_ns, self._has_started = connection, until_ns, False

    def __call__(self) -> bytes:
        if self._has_started:
            left_s = (self._until_ns - clock.monotonic_ns()) / 1e9
            if left_s <= 0:
                raise TimeoutError("the response took too long")
            self._connection.settimeout(left_s)
        self._has_started = True
        return self._connection.recv(_PIECE)
