"""Where one HTTP/1.1 response begins and ends on a connection (RFC 9112), for whoever asks: DynamoDB or a stranger.

Stricter than the RFC where it leaves a choice: lines end with CRLF; no control characters in a field; a length beside a
transfer coding, and a transfer coding of HTTP/1.0, is an error (§6.1). Whatever isn't body is bounded in total.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from chalicelib.core import http_syntax
from chalicelib.core.http_syntax import OWS

HEAD_MAX = 64 * 1024
"""So many bytes the status lines and fields of one response may have, interim responses and trailers included."""
FIELDS_MAX = 100
CHUNK_LINE_MAX = 1024
UNTIL_CLOSE, CHUNKED = -1, -2

_STATUS_LINE = re.compile(r"HTTP/(1\.[0-9]) ([1-9][0-9]{2})(?: .*)?")
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\x00-\x08\x0a-\x1f\x7f]*)?")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class Malformed(ValueError):
    """Not an HTTP response, or cut short, or more of it than is read."""


@dataclass(slots=True)
class Head:
    """Status and fields, names in lower case; the values of a field that is repeated are joined with commas."""

    status: int
    headers: Mapping[str, str]
    stays: bool
    """Whether the connection may carry another response."""
    length: int
    """How many bytes of body follow; or UNTIL_CLOSE, or CHUNKED."""


class Incoming:
    """The bytes of a connection, in pieces as the framing asks for them.

    A response that came in one piece, as nearly all of DynamoDB's do, is cut out of that piece without a copy of it.
    """

    __slots__ = ("_at", "_come", "_receive", "left")

    def __init__(self, receive: Callable[[], bytes]) -> None:
        """Read by `receive`, which returns what has come, b"" at the end, and keeps the deadline."""
        self._receive = receive
        self._come: bytes | bytearray = b""
        self._at = 0
        """Where what was not asked for yet begins in what has come."""
        self.left = HEAD_MAX
        """How many bytes there may still be beside the body."""

    @property
    def more(self) -> int:
        """Return how many bytes have come that nobody asked for."""
        return len(self._come) - self._at

    def until(self, mark: bytes, most: int) -> bytes:
        """Return everything before `mark`, at most `most` bytes, and skip the mark."""
        seen = self._at
        while (end := self._come.find(mark, seen)) < 0:
            if self.more - len(mark) >= most:
                raise Malformed("a head without an end")
            # What was searched isn't searched again, or a server that sends byte by byte makes it quadratic.
            seen = max(0, self.more - len(mark) + 1)
            self._wait()
        if end - self._at > most:
            raise Malformed("a head that is too long")
        found = bytes(self._come[self._at : end])
        self._at = end + len(mark)
        return found

    def fields(self, mark: bytes) -> str:
        """Return everything before `mark` as text, and take it off what there may be beside the body."""
        found = self.until(mark, self.left)
        self.left -= len(found) + len(mark)
        return found.decode("latin-1")

    def exactly(self, count: int) -> bytes:
        """Return the next `count` bytes."""
        while len(self._come) - self._at < count:
            self._wait()
        found = bytes(self._come[self._at : self._at + count])
        self._at += count
        return found

    def some(self, most: int) -> bytes:
        """Return what has come, at most `most` bytes, waiting for it when nothing has."""
        if self._at == len(self._come):
            self._wait()
        return self.exactly(min(most, self.more))

    def rest(self) -> Iterator[bytes]:
        """Return what comes until the connection ends."""
        yield self.exactly(self.more)
        while piece := self._receive():
            yield piece

    def _wait(self) -> None:
        piece = self._receive()
        if not piece:
            raise Malformed("the response was cut")
        if self._at == len(self._come):
            self._come = piece
        else:
            if self._at or isinstance(self._come, bytes):
                self._come = bytearray(self._come[self._at :])
            self._come += piece
        self._at = 0


def head_of(incoming: Incoming, method: str = "GET") -> Head:
    """Return the head of the response to a request with this `method`; interim ones before it are skipped.

    Raises Malformed when it is none.
    """
    while True:
        head = _parsed(incoming.fields(b"\r\n\r\n"), method)
        if head.status >= 200:
            return head
        # Interim responses have no body; the one that counts follows (RFC 9110 §15.2). Nobody asked for an upgrade.
        if head.status == 101:
            raise Malformed("another protocol, unasked")


def body_of(incoming: Incoming, head: Head) -> Iterator[bytes]:
    """Return the body in pieces as it comes, without its framing. Raises Malformed when it is cut or framed wrongly."""
    if head.length == CHUNKED:
        yield from _chunks(incoming)
    elif head.length == UNTIL_CLOSE:
        yield from incoming.rest()
    else:
        yield from _counted(incoming, head.length)


def chunk_size(line: bytes) -> int:
    """Return the size that the first line of a chunk says, its extensions ignored (§7.1.1)."""
    match = _CHUNK_LINE.fullmatch(line)
    if match is None:
        raise Malformed("not a chunk")
    return int(match[1], 16)


def _counted(incoming: Incoming, count: int) -> Iterator[bytes]:
    while count:
        piece = incoming.some(count)
        count -= len(piece)
        yield piece


def _chunks(incoming: Incoming) -> Iterator[bytes]:
    while size := chunk_size(incoming.until(b"\r\n", CHUNK_LINE_MAX)):
        yield from _counted(incoming, size)
        if incoming.exactly(2) != b"\r\n":
            raise Malformed("a chunk without an end")
    # Trailers say nothing that is asked for, and must be fields all the same.
    trailers: list[str] = []
    while trailer := incoming.fields(b"\r\n"):
        trailers.append(trailer)
        if len(trailers) > FIELDS_MAX:
            raise Malformed("too many trailers")
    _fields(_unfolded(trailers))


def _parsed(text: str, method: str) -> Head:
    first, *lines = text.split("\r\n")
    status, is_old = _status(first)
    if len(lines) > FIELDS_MAX:
        raise Malformed("too many headers")
    if "\r\n " in text or "\r\n\t" in text:
        lines = _unfolded(lines)
    headers = _fields(lines)
    return Head(status, headers, _stays(headers, is_old=is_old), _length(status, headers, method, is_old=is_old))


@lru_cache(maxsize=64)
def _status(line: str) -> tuple[int, bool]:
    """Return the status of a status line (§4), and whether it is HTTP/1.0's."""
    match = _STATUS_LINE.fullmatch(line)
    if match is None or _has_controls(line):
        raise Malformed("not an HTTP response")
    return int(match[2]), match[1] == "1.0"


def _has_controls(text: str) -> bool:
    return not text.isprintable() and _CONTROL.search(text) is not None


def _unfolded(lines: list[str]) -> list[str]:
    """Return fields that were folded, which was once allowed, as one line each, with a space there (§5.2)."""
    whole: list[list[str]] = []
    for line in lines:
        if line[:1] in (" ", "\t"):
            if not whole:
                raise Malformed("a header that begins with a space")
            whole[-1].append(line.strip(OWS))
        else:
            whole.append([line])
    return [" ".join(parts) for parts in whole]


def _fields(lines: list[str]) -> dict[str, str]:
    """Return fields by their names in lower case (§5)."""
    if _has_controls("".join(lines)):
        raise Malformed("a control character in a header")
    headers: dict[str, str] = {}
    for line in lines:
        written, colon, value = line.partition(":")
        name = _name(written) if colon else _name("")
        headers[name] = f"{headers[name]}, {value.strip(OWS)}" if name in headers else value.strip(OWS)
    return headers


@lru_cache(maxsize=256)
def _name(text: str) -> str:
    if not http_syntax.is_token(text):
        raise Malformed("a malformed header")
    return text.lower()


def _stays(headers: Mapping[str, str], *, is_old: bool) -> bool:
    options = {option.lower() for option in http_syntax.members(headers.get("connection", ""))}
    return "close" not in options and (not is_old or "keep-alive" in options)


def _length(status: int, headers: Mapping[str, str], method: str, *, is_old: bool) -> int:
    """Return how the body ends (§6.3)."""
    length, coding = headers.get("content-length"), headers.get("transfer-encoding")
    stated = UNTIL_CLOSE if length is None else _stated(length)
    if coding is not None:
        # Two readers that choose differently among two ends is how one response becomes two.
        if length is not None or is_old or coding.lower() != "chunked":
            raise Malformed("a transfer coding that is not understood")
        stated = CHUNKED
    return 0 if method == "HEAD" or status in (204, 304) else stated


def _stated(length: str) -> int:
    """Return a Content-Length; one that is repeated is fine as long as it says the same (RFC 9110 §8.6)."""
    said = {each.strip(OWS) for each in length.split(",")}
    count = http_syntax.whole(said.pop()) if len(said) == 1 else None
    if count is None:
        raise Malformed("not a length")
    return count
