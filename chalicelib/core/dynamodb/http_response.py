"""Reading one whole answer of DynamoDB off a socket, in as few steps as that needs.

The standard library's reader parses every head as if it were an email, which costs five times what the rest of a call
does. Stricter than `framing`: a malformed or truncated response is an error, and so is one whose end only the
connection's end would show, because this client only ever talks to DynamoDB.
"""

import socket
from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.core import clock, http_framing

BODY_MAX = 64 * 1024 * 1024
"""More than DynamoDB sends: 16 MB of items, in JSON."""
_PIECE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    stays: bool = True
    """Whether the connection may carry another."""


def read(connection: socket.socket, until_ns: int) -> Answer:
    """Read one answer whole, the last of it until `until_ns`.

    Raises ValueError when it is malformed or was cut, OSError when the connection fails or the time is over. For its
    first piece the connection's own timeout is what counts.
    """
    received = _Received(connection, until_ns)
    incoming = http_framing.Incoming(received)
    head = http_framing.head_of(incoming, "POST")
    if head.length == http_framing.UNTIL_CLOSE or head.length > BODY_MAX:
        raise http_framing.Malformed("no length that an answer of DynamoDB has")
    body = _joined(incoming, head) if head.length == http_framing.CHUNKED else incoming.exactly(head.length)
    if incoming.more:
        # Nobody asked for what follows: on a kept-alive connection it would be taken for the next answer.
        raise http_framing.Malformed("more than one answer")
    return Answer(head.status, head.headers, body, head.stays)


def _joined(incoming: http_framing.Incoming, head: http_framing.Head) -> bytes:
    body = bytearray()
    for piece in http_framing.body_of(incoming, head):
        body += piece
        if len(body) > BODY_MAX:
            raise http_framing.Malformed("a body that is too long")
    return bytes(body)


class _Received:
    """What comes on a connection. Most answers are one piece; only those that aren't look at the clock."""

    __slots__ = ("_connection", "_is_begun", "_until_ns")

    def __init__(self, connection: socket.socket, until_ns: int) -> None:
        self._connection, self._until_ns, self._is_begun = connection, until_ns, False

    def __call__(self) -> bytes:
        if self._is_begun:
            left_s = (self._until_ns - clock.monotonic_ns()) / 1e9
            if left_s <= 0:
                raise TimeoutError("the whole answer took too long")
            self._connection.settimeout(left_s)
        self._is_begun = True
        return self._connection.recv(_PIECE)
