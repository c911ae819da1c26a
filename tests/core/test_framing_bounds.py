"""Limits on the parts of an HTTP response, to the byte, and the assembly of received pieces."""

from collections.abc import Iterator

import pytest

from chalicelib.core import http_framing
from chalicelib.core.http_framing import CHUNKED, UNTIL_CLOSE, Head, Malformed, ResponseStream

OK = b"HTTP/1.1 200 OK\r\n"


def stream(*pieces: bytes) -> ResponseStream:
    """Return a stream that receives these pieces and then ends."""
    left = iter(pieces)
    return ResponseStream(lambda: next(left, b""))


def head(fields: bytes = b"", *, first: bytes = OK, method: str = "GET") -> Head:
    """Return the head of a response with these fields."""
    return http_framing.read_head(stream(first + fields + b"\r\n"), method)


def find_problem(fields: bytes = b"", *, first: bytes = OK) -> str:
    """Return why a head is malformed."""
    with pytest.raises(Malformed) as malformed:
        head(fields, first=first)
    return str(malformed.value)


@pytest.mark.parametrize("pieces", [1, 2, 3, 64])
def test_head_is_at_most_64_kb(pieces: int) -> None:
    """A head has at most 64 KB, including interim responses and without its final CRLF."""
    interim = b"HTTP/1.1 103 X\r\n\r\n"
    fixed = len(interim) + len(OK) + len(b"A: ")
    for more, fits in ((0, True), (1, False)):
        raw = interim + OK + b"A: " + b"x" * (http_framing.HEAD_MAX - fixed + more) + b"\r\n\r\n"
        step = -(-len(raw) // pieces)
        coming = stream(*(raw[at : at + step] for at in range(0, len(raw), step)))
        if fits:
            assert http_framing.read_head(coming).status == 200
            assert (coming.head_bytes_left, coming.unread) == (-4, 0)
        else:
            with pytest.raises(Malformed, match=r"^the head (has no end|is too long)$"):
                http_framing.read_head(coming)
    assert http_framing.HEAD_MAX == 65_536


def test_head_has_at_most_100_fields() -> None:
    """A head has at most 100 fields, and the trailers of a body are at most 100 fields, too."""
    assert len(head(b"".join(b"A%d: b\r\n" % number for number in range(100))).headers) == 100
    assert find_problem(b"A: b\r\n" * 101) == "too many headers"
    chunked = OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n"
    for count in (100, 101):
        coming = stream(chunked + b"A: b\r\n" * count + b"\r\n")
        body = http_framing.read_body(coming, http_framing.read_head(coming))
        if count == 100:
            assert list(body) == []
            assert coming.unread == 0
        else:
            with pytest.raises(Malformed, match=r"^too many trailers$"):
                list(body)


def test_chunk_line_has_at_most_1024_bytes() -> None:
    """The line of a chunk has at most 1,024 bytes, including its size and extensions."""
    for more in (0, 1):
        line = b"2;" + b"x" * (http_framing.CHUNK_LINE_MAX - 2 + more)
        coming = stream(line + b"\r\nhi\r\n0\r\n\r\n")
        body = http_framing.read_body(coming, Head(200, {}, keep_alive=True, length=CHUNKED))
        if not more:
            assert b"".join(body) == b"hi"
        else:
            with pytest.raises(Malformed, match=r"^the head is too long$"):
                list(body)
    assert http_framing.CHUNK_LINE_MAX == 1_024


@pytest.mark.parametrize(
    ("line", "size"),
    [
        (b"0", 0),
        (b"a", 10),
        (b"F", 15),
        (b"10", 16),
        (b"00a", 10),
        (b"f" * 15, 16**15 - 1),
        (b"2 \t", 2),
        (b"2;\tx=\xff", 2),
    ],
)
def test_chunk_size_is_hexadecimal(line: bytes, size: int) -> None:
    """The size of a chunk has at most 15 hexadecimal digits in either case."""
    assert http_framing.chunk_size(line) == size


@pytest.mark.parametrize(
    "line", [b"", b"g", b"-1", b"+1", b"0x1", b" 1", b"f" * 16, b"1 2", b"1;\x00", b"1;\n", b"1;\x7f"]
)
def test_other_chunk_size_is_malformed(line: bytes) -> None:
    """A chunk size with other characters, or an extension with control characters, is malformed."""
    with pytest.raises(Malformed, match=r"^a malformed chunk$"):
        http_framing.chunk_size(line)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"2\r\nhi", "the response is truncated"),
        (b"2\r\nhiX\r\n0\r\n\r\n", "a chunk without CRLF"),
        (b"2\r\nhi\r\n0\r\nX\r\n\r\n", "a malformed header"),
        (b"2\r\nhi\r\n0\r\n a\r\n\r\n", "a header that begins with a space"),
        (b"2\r\nhi\r\n0\r\nA: \x00\r\n\r\n", "a control character in a header"),
        (b"2\r\nhi\r\n0\r\n", "the response is truncated"),
    ],
)
def test_malformed_chunks_are_rejected(raw: bytes, reason: str) -> None:
    """Malformed chunks are rejected, with a different message for each fault."""
    with pytest.raises(Malformed, match=rf"^{reason}$"):
        list(http_framing.read_body(stream(raw), Head(200, {}, keep_alive=True, length=CHUNKED)))


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        (b"HTTP/1.1 099 X\r\n", "not an HTTP response"),
        (b"HTTP/1.1 20 X\r\n", "not an HTTP response"),
        (b"HTTP/1.1 2000 X\r\n", "not an HTTP response"),
        (b"HTTP/2.0 200 X\r\n", "not an HTTP response"),
        (b"HTTP/1.10 200 X\r\n", "not an HTTP response"),
        (b"http/1.1 200 X\r\n", "not an HTTP response"),
        (b"HTTP/1.1  200 X\r\n", "not an HTTP response"),
        (b"HTTP/1.1 200 \x01\r\n", "not an HTTP response"),
        (b"HTTP/1.1 101 X\r\n", "an upgrade that was not requested"),
    ],
)
def test_first_line_must_be_a_status_line(first: bytes, reason: str) -> None:
    """The first line must be a status line of HTTP/1; a switch to another protocol is rejected."""
    assert find_problem(first=first) == reason


@pytest.mark.parametrize("status", [200, 299, 404, 599, 999])
def test_final_status_is_any_from_200(status: int) -> None:
    """Any status from 200 is final and is returned."""
    assert head(first=b"HTTP/1.1 %d X\r\n" % status).status == status


@pytest.mark.parametrize("status", [100, 102, 103, 199])
def test_interim_responses_are_skipped(status: int) -> None:
    """Interim responses are skipped as long as they fit into the limit of a head."""
    raw = b"HTTP/1.1 %d X\r\nA: b\r\n\r\n" % status
    found = http_framing.read_head(stream(raw * 3 + OK + b"\r\n"))
    assert (found.status, found.headers) == (200, {})


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (b"A\r\n", "a malformed header"),
        (b": b\r\n", "a malformed header"),
        (b"A : b\r\n", "a malformed header"),
        (b"A: \x00\r\n", "a control character in a header"),
        (b"A: b\x7f\r\n", "a control character in a header"),
        (b" A: b\r\n", "a header that begins with a space"),
        (b"\tA: b\r\n", "a header that begins with a space"),
        (b"Content-Length: x\r\n", "a malformed Content-Length"),
        (b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", "an unsupported transfer coding"),
    ],
)
def test_malformed_field_states_its_reason(fields: bytes, reason: str) -> None:
    """The error for a malformed field states the reason, for the log and for the user who chose the URL."""
    assert find_problem(fields) == reason


def test_fields_are_joined_unfolded_and_in_lower_case() -> None:
    """Values of repeated fields are joined, names are in lower case, and whitespace around values is removed."""
    found = head(b"X-A:  b \r\nx-a:\tc\r\nY: a\r\n\t b \r\n  c\r\nZ: a\tb\r\nE:\r\n").headers
    assert found == {"x-a": "b, c", "y": "a b c", "z": "a\tb", "e": ""}


@pytest.mark.parametrize(
    ("status", "fields", "method", "length"),
    [
        (200, b"", "GET", UNTIL_CLOSE),
        (200, b"Content-Length: 0\r\n", "GET", 0),
        (200, b"Content-Length: 7\r\n", "POST", 7),
        (200, b"Content-Length: 7, 7\r\n", "GET", 7),
        (200, b"Transfer-Encoding: chunked\r\n", "GET", CHUNKED),
        (200, b"Content-Length: 7\r\n", "HEAD", 0),
        (204, b"Content-Length: 7\r\n", "GET", 0),
        (205, b"Content-Length: 7\r\n", "GET", 7),
        (304, b"Transfer-Encoding: chunked\r\n", "GET", 0),
        (303, b"Content-Length: 7\r\n", "GET", 7),
        (305, b"Content-Length: 7\r\n", "GET", 7),
    ],
)
def test_body_length_follows_status_fields_and_method(status: int, fields: bytes, method: str, length: int) -> None:
    """The length of a body follows from status, fields and method (RFC 9112 §6.3)."""
    found = head(fields, first=b"HTTP/1.1 %d X\r\n" % status, method=method)
    assert found.length == length


@pytest.mark.parametrize(
    ("version", "connection", "keep_alive"),
    [
        (b"1.1", b"", True),
        (b"1.1", b"Connection:\r\n", True),
        (b"1.1", b"Connection: keep-alive\r\n", True),
        (b"1.1", b"Connection: close\r\n", False),
        (b"1.1", b"Connection: keep-alive, CLOSE\r\n", False),
        (b"1.1", b"Connection: x\r\n", True),
        (b"1.0", b"", False),
        (b"1.0", b"Connection:\r\n", False),
        (b"1.0", b"Connection: keep-alive\r\n", True),
        (b"1.0", b"Connection: x, Keep-Alive\r\n", True),
        (b"1.0", b"Connection: x\r\n", False),
        (b"1.0", b"Connection: keep\r\n", False),
        (b"1.0", b"Connection: keep-alive, close\r\n", False),
    ],
)
def test_keep_alive_follows_version_and_connection_header(version: bytes, connection: bytes, keep_alive: bool) -> None:
    """Version and Connection header decide whether a connection is kept (RFC 9112 §9.3)."""
    assert head(connection + b"Content-Length: 0\r\n", first=b"HTTP/%s 200 X\r\n" % version).keep_alive is keep_alive


def test_transfer_coding_in_http10_is_rejected() -> None:
    """A transfer coding in HTTP/1.0 is an error (RFC 9112 §6.1)."""
    assert find_problem(b"Transfer-Encoding: chunked\r\n", first=b"HTTP/1.0 200 X\r\n") == (
        "an unsupported transfer coding"
    )


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
def test_pieces_are_cut_and_joined_anywhere(size: int) -> None:
    """A read returns exactly the requested bytes, however they arrive, and keeps the rest."""
    raw = b"ab\r\ncd\r\n\r\nefghij"
    coming = stream(*(raw[at : at + size] for at in range(0, len(raw), size)))
    assert coming.read_until(b"\r\n", 100) == b"ab"
    assert coming.read_until(b"\r\n\r\n", 2) == b"cd"
    assert coming.read_exactly(3) == b"efg"
    assert coming.read_some(1) == b"h"
    assert b"".join(coming.read_rest()) == b"ij"
    assert coming.unread == 0


def test_text_before_a_mark_is_bounded() -> None:
    """A read up to a delimiter has a limit, and receives no more bytes than needed to detect it."""
    assert stream(b"ab\r\n").read_until(b"\r\n", 2) == b"ab"
    with pytest.raises(Malformed, match=r"^the head is too long$"):
        stream(b"abc\r\n").read_until(b"\r\n", 2)
    calls: list[int] = []

    def receive() -> bytes:
        calls.append(1)
        return b"a"

    with pytest.raises(Malformed, match=r"^the head has no end$"):
        ResponseStream(receive).read_until(b"\r\n", 2)
    assert len(calls) == 4, "two bytes, and two that could have been the mark"


def test_fields_reduce_the_bytes_allowed_outside_the_body() -> None:
    """Header fields count towards the limit of all bytes outside of the body."""
    coming = stream(b"\xe9b\r\n\r\n")
    assert coming.read_fields(b"\r\n\r\n") == "éb"
    assert coming.head_bytes_left == http_framing.HEAD_MAX - 6


def test_body_with_a_length_is_returned_in_received_pieces() -> None:
    """A body with a length is returned piece by piece as received, and nothing after it is read."""
    coming = stream(b"ab", b"c", b"defg")
    body: Iterator[bytes] = http_framing.read_body(coming, Head(200, {}, keep_alive=True, length=5))
    assert list(body) == [b"ab", b"c", b"de"]
    assert coming.unread == 2
    assert list(http_framing.read_body(stream(), Head(200, {}, keep_alive=True, length=0))) == []


@pytest.mark.parametrize("length", range(4))
def test_body_ends_after_its_length(length: int) -> None:
    """A body ends after its stated length, and later bytes aren't part of it."""
    coming = stream(OK + b"Content-Length: %d\r\n\r\nabc" % length)
    assert b"".join(http_framing.read_body(coming, http_framing.read_head(coming))) == b"abc"[:length]
    assert coming.unread == 3 - length


def test_body_without_a_length_ends_with_the_connection() -> None:
    """A body without a length ends with the connection, and begins with the bytes received after the head."""
    coming = stream(OK + b"\r\nab", b"c", b"d")
    found = http_framing.read_head(coming)
    assert list(http_framing.read_body(coming, found)) == [b"ab", b"c", b"d"]


def test_truncation_is_detected_anywhere() -> None:
    """A response that is truncated before, within or after its head is malformed."""
    for cut in (b"", b"HTTP/1.1 200", OK + b"Content-Length: 2\r\n\r\nh"):
        coming = stream(cut)
        with pytest.raises(Malformed, match=r"^the response is truncated$"):
            list(http_framing.read_body(coming, http_framing.read_head(coming)))
