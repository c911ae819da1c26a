"""Reading one HTTP/1.1 answer off a socket (RFC 9112), in as few steps as a database's answer needs.

The standard library's reader parses every head as if it were an email, which costs five times what the rest of a call
does. What it is lenient about is an error here: this client talks to one server, and half an answer is none.
"""

import socket
from collections.abc import Mapping
from dataclasses import dataclass

HEAD_MAX = 64 * 1024
_PIECE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def stays(self) -> bool:
        """Tell whether the connection may carry another."""
        return "close" not in self.headers.get("connection", "").lower()


def read(connection: socket.socket) -> Answer:
    """Read one answer whole. Raises ValueError when it is none or was cut, OSError when the connection fails."""
    received = _Received(connection)
    status, headers = _head(received.until(b"\r\n\r\n"))
    while 100 <= status < 200:
        # Interim answers have no body; the one that counts follows (RFC 9110 §15.2).
        status, headers = _head(received.until(b"\r\n\r\n"))
    if "transfer-encoding" in headers:
        body = _chunks(received, headers["transfer-encoding"])
    else:
        # Without a length it would end where the connection does, and so would one that was cut.
        body = received.exactly(_whole(headers.get("content-length", ""), 10))
    if received.more:
        # Nobody asked for what follows: on a kept-alive connection it would be taken for the next answer.
        raise ValueError("more than one answer")
    return Answer(status, headers, body)


class _Received:
    """The bytes of a connection, in pieces as the framing asks for them."""

    __slots__ = ("connection", "more")

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.more = b""
        """What has come and was not asked for yet."""

    def until(self, mark: bytes) -> bytes:
        """Return everything before `mark`, and skip the mark."""
        while (end := self.more.find(mark)) < 0:
            if len(self.more) > HEAD_MAX:
                raise ValueError("a head without an end")
            self.more += self._piece()
        found, self.more = self.more[:end], self.more[end + len(mark) :]
        return found

    def exactly(self, count: int) -> bytes:
        """Return the next `count` bytes."""
        if len(self.more) < count:
            pieces, have = [self.more], len(self.more)
            while have < count:
                pieces.append(self._piece())
                have += len(pieces[-1])
            self.more = b"".join(pieces)
        found, self.more = self.more[:count], self.more[count:]
        return found

    def _piece(self) -> bytes:
        piece = self.connection.recv(_PIECE)
        if not piece:
            raise ValueError("the answer was cut")
        return piece


def _head(head: bytes) -> tuple[int, dict[str, str]]:
    """Return the status and the headers. Of a header that is repeated the last counts: none of ours may be."""
    first, *lines = head.decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    status = rest.partition(" ")[0]
    if version not in ("HTTP/1.1", "HTTP/1.0") or len(status) != 3:
        raise ValueError("no HTTP")
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise ValueError("a header that is none")
        headers[name.lower()] = value.strip()
    if version == "HTTP/1.0":
        headers.setdefault("connection", "close")
    return _whole(status, 10), headers


def _chunks(received: _Received, encoding: str) -> bytes:
    """Return a body that comes in chunks (RFC 9112 §7.1)."""
    if encoding.lower() != "chunked":
        raise ValueError("an encoding that nobody asked for")
    body = []
    while True:
        size = _whole(received.until(b"\r\n").decode("latin-1").partition(";")[0], 16)
        if size == 0:
            break
        body.append(received.exactly(size))
        if received.until(b"\r\n"):
            raise ValueError("a chunk without an end")
    while received.until(b"\r\n"):
        pass  # Trailers say nothing that is asked for.
    return b"".join(body)


def _whole(text: str, base: int) -> int:
    """Return a number that is digits only: `int` would take signs, spaces and underscores, too."""
    if not text.isascii() or not text.isalnum():
        raise ValueError("no number")
    return int(text, base)
