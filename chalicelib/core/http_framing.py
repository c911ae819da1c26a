"""Parse one HTTP/1.1 response from a connection (RFC 9112), sent by DynamoDB or an untrusted server.

Stricter than the RFC: lines must end with CRLF, and fields can't contain control characters. Content-Length with a
transfer coding, and a transfer coding in HTTP/1.0, are errors (§6.1). The size of everything but the body is limited.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from chalicelib.core import http_syntax
from chalicelib.core.http_syntax import OWS

HEAD_MAX = 64 * 1024
"""The maximum size of all status lines and fields of one response, with interim responses and trailers, in bytes."""
FIELDS_MAX = 100
CHUNK_LINE_MAX = 1024
UNTIL_CLOSE, CHUNKED = -1, -2

_STATUS_LINE = re.compile(r"HTTP/(1\.[0-9]) ([1-9][0-9]{2})(?: .*)?")
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\x00-\x08\x0a-\x1f\x7f]*)?")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class Malformed(ValueError):
    """The bytes aren't an HTTP response, or the response is truncated or too large."""


@dataclass(slots=True)
class Head:
    """The status and headers of a response: names in lower case, values of a repeated header joined by commas."""

    status: int
    headers: Mapping[str, str]
    keep_alive: bool
    """Whether the connection can be used for another request."""
    length: int
    """The length of the body in bytes, or UNTIL_CLOSE, or CHUNKED."""


class ResponseStream:
    """A stream of received bytes. A response that arrives in one piece isn't copied."""

    __slots__ = ("_buffer", "_position", "_receive", "head_bytes_left")

    def __init__(self, receive: Callable[[], bytes]) -> None:
        """Create a stream of the bytes from `receive`, which returns b"" at the end and enforces the deadline."""
        self._receive = receive
        self._buffer: bytes | bytearray = b""
        self._position = 0
        """The index in the buffer of the first unread byte."""
        self.head_bytes_left = HEAD_MAX
        """The maximum number of bytes by which the head and the trailers can still grow."""

    @property
    def unread(self) -> int:
        """Return the number of bytes that were received but not read yet."""
        return len(self._buffer) - self._position

    def read_until(self, mark: bytes, most: int) -> bytes:
        """Return the bytes before the next `mark`, and skip the mark. Raises Malformed if more than `most` bytes
        precede it.
        """
        searched = self._position
        while (end := self._buffer.find(mark, searched)) < 0:
            if self.unread - len(mark) >= most:
                raise Malformed("the head has no end")
            # Search only the new bytes. Otherwise a server that sends single bytes would cause quadratic time.
            searched = max(0, self.unread - len(mark) + 1)
            self._receive_more()
        if end - self._position > most:
            raise Malformed("the head is too long")
        found = bytes(self._buffer[self._position : end])
        self._position = end + len(mark)
        return found

    def read_fields(self, mark: bytes) -> str:
        """Return the text before the next `mark`, and subtract the length of both from `head_bytes_left`."""
        found = self.read_until(mark, self.head_bytes_left)
        self.head_bytes_left -= len(found) + len(mark)
        return found.decode("latin-1")

    def read_exactly(self, count: int) -> bytes:
        """Return the next `count` bytes."""
        while len(self._buffer) - self._position < count:
            self._receive_more()
        found = bytes(self._buffer[self._position : self._position + count])
        self._position += count
        return found

    def read_some(self, most: int) -> bytes:
        """Return at most `most` of the received bytes. Waits for more only if all received bytes have been read."""
        if self._position == len(self._buffer):
            self._receive_more()
        return self.read_exactly(min(most, self.unread))

    def read_rest(self) -> Iterator[bytes]:
        """Yield bytes until the connection ends."""
        yield self.read_exactly(self.unread)
        while piece := self._receive():
            yield piece

    def _receive_more(self) -> None:
        piece = self._receive()
        if not piece:
            raise Malformed("the response is truncated")
        if self._position == len(self._buffer):
            self._buffer = piece
        else:
            if self._position or isinstance(self._buffer, bytes):
                self._buffer = bytearray(self._buffer[self._position :])
            self._buffer += piece
        self._position = 0


def read_head(stream: ResponseStream, method: str = "GET") -> Head:
    """Return the head of the final response to a request with this `method`. Raises Malformed if it isn't valid."""
    while True:
        head = _parse_head(stream.read_fields(b"\r\n\r\n"), method)
        if head.status >= 200:
            return head
        # An interim response precedes the final one (RFC 9110 §15.2). 101 is an error: no upgrade was requested.
        if head.status == 101:
            raise Malformed("an upgrade that was not requested")


def read_body(stream: ResponseStream, head: Head) -> Iterator[bytes]:
    """Yield the body in pieces, without its framing. Raises Malformed when the body is truncated or wrongly framed."""
    if head.length == CHUNKED:
        yield from _read_chunks(stream)
    elif head.length == UNTIL_CLOSE:
        yield from stream.read_rest()
    else:
        yield from _read_exactly(stream, head.length)


def chunk_size(line: bytes) -> int:
    """Return the size of a chunk from its first line, ignoring chunk extensions (§7.1.1)."""
    match = _CHUNK_LINE.fullmatch(line)
    if match is None:
        raise Malformed("a malformed chunk")
    return int(match[1], 16)


def _read_exactly(stream: ResponseStream, count: int) -> Iterator[bytes]:
    while count:
        piece = stream.read_some(count)
        count -= len(piece)
        yield piece


def _read_chunks(stream: ResponseStream) -> Iterator[bytes]:
    while size := chunk_size(stream.read_until(b"\r\n", CHUNK_LINE_MAX)):
        yield from _read_exactly(stream, size)
        if stream.read_exactly(2) != b"\r\n":
            raise Malformed("a chunk without CRLF")
    # Trailers are ignored, but must be well-formed fields.
    trailers: list[str] = []
    while trailer := stream.read_fields(b"\r\n"):
        trailers.append(trailer)
        if len(trailers) > FIELDS_MAX:
            raise Malformed("too many trailers")
    _parse_fields(_unfold(trailers))


def _parse_head(text: str, method: str) -> Head:
    first, *lines = text.split("\r\n")
    status, is_http10 = _parse_status(first)
    if len(lines) > FIELDS_MAX:
        raise Malformed("too many headers")
    if "\r\n " in text or "\r\n\t" in text:
        lines = _unfold(lines)
    headers = _parse_fields(lines)
    keep_alive = _keeps_alive(headers, is_http10=is_http10)
    return Head(status, headers, keep_alive, _length(status, headers, method, is_http10=is_http10))


@lru_cache(maxsize=64)
def _parse_status(line: str) -> tuple[int, bool]:
    """Return the status of a status line (§4), and whether it is HTTP/1.0."""
    match = _STATUS_LINE.fullmatch(line)
    if match is None or _has_controls(line):
        raise Malformed("not an HTTP response")
    return int(match[2]), match[1] == "1.0"


def _has_controls(text: str) -> bool:
    return not text.isprintable() and _CONTROL.search(text) is not None


def _unfold(lines: list[str]) -> list[str]:
    """Join folded field lines with a space; folding is obsolete, but must be accepted in responses (§5.2)."""
    joined: list[list[str]] = []
    for line in lines:
        if line[:1] in (" ", "\t"):
            if not joined:
                raise Malformed("a header that begins with a space")
            joined[-1].append(line.strip(OWS))
        else:
            joined.append([line])
    return [" ".join(parts) for parts in joined]


def _parse_fields(lines: list[str]) -> dict[str, str]:
    """Return the fields as a mapping. Names are in lower case (§5)."""
    if _has_controls("".join(lines)):
        raise Malformed("a control character in a header")
    headers: dict[str, str] = {}
    for line in lines:
        raw_name, colon, value = line.partition(":")
        name = _name(raw_name) if colon else _name("")
        headers[name] = f"{headers[name]}, {value.strip(OWS)}" if name in headers else value.strip(OWS)
    return headers


@lru_cache(maxsize=256)
def _name(text: str) -> str:
    if not http_syntax.is_token(text):
        raise Malformed("a malformed header")
    return text.lower()


def _keeps_alive(headers: Mapping[str, str], *, is_http10: bool) -> bool:
    if "connection" not in headers:
        return not is_http10
    options = {option.lower() for option in http_syntax.members(headers["connection"])}
    return "close" not in options and (not is_http10 or "keep-alive" in options)


def _length(status: int, headers: Mapping[str, str], method: str, *, is_http10: bool) -> int:
    """Return the length of the body, UNTIL_CLOSE or CHUNKED (§6.3)."""
    length, coding = headers.get("content-length"), headers.get("transfer-encoding")
    stated = UNTIL_CLOSE if length is None else _parse_content_length(length)
    if coding is not None:
        # If two recipients disagree about where a body ends, an attacker can split the response.
        if length is not None or is_http10 or coding.lower() != "chunked":
            raise Malformed("an unsupported transfer coding")
        stated = CHUNKED
    return 0 if method == "HEAD" or status in (204, 304) else stated


def _parse_content_length(length: str) -> int:
    """Return the value of a Content-Length field. If the value is repeated, all must be equal (RFC 9110 §8.6)."""
    values = {each.strip(OWS) for each in length.split(",")} if "," in length else {length}
    count = http_syntax.parse_integer(values.pop()) if len(values) == 1 else None
    if count is None:
        raise Malformed("a malformed Content-Length")
    return count
