"""The end of a response, with both readers, compared with h11: per RFC 9112, stricter where documented."""

import re
import socket
from collections.abc import Callable, Iterator
from typing import cast

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.core import clock, http_framing, ssrf_safe_fetch
from chalicelib.core.dynamodb import http_response
from tests.support import exhaustive
from tests.support.fake_internet import ADDRESS, NAME, Internet, connected_to_nothing_else

OK = b"HTTP/1.1 200 OK\r\n"
LENGTH = b"Content-Length: 2\r\n"
HI = OK + LENGTH + b"\r\nhi"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
FOREVER = 10**18

SOUND = {
    "length": HI,
    "chunks": CHUNKED,
    "extension": CHUNKED.replace(b"2\r\n", b'2;name="value"\r\n'),
    "space after a size": CHUNKED.replace(b"2\r\n", b"2 \r\n"),
    "trailer": CHUNKED[:-2] + b"X-Sum: 1\r\n\r\n",
    "interim": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + HI,
    "no reason": HI.replace(b" OK", b""),
    "an empty reason": HI.replace(b"OK", b""),
    "another minor version": HI.replace(b"HTTP/1.1", b"HTTP/1.2"),
    "the same length twice": OK + LENGTH + LENGTH + b"\r\nhi",
    "the same length in a list": HI.replace(b": 2", b": 2, 2"),
    "coding in capitals": CHUNKED.replace(b"chunked", b"Chunked"),
    "tab before a value": HI.replace(b": 2", b":\t2\t "),
    "a field without a value": OK + b"X:\r\n" + LENGTH + b"\r\nhi",
    "a folded field": OK + b"X: a\r\n b\r\n" + LENGTH + b"\r\nhi",
    "obs-text": OK + b"X: \xa0\xff\r\n" + LENGTH + b"\r\nhi",
}
FAULTY = {
    "two lengths": OK + LENGTH + b"Content-Length: 3\r\n\r\nhi!",
    "two lengths in a list": HI.replace(b": 2", b": 2, 3"),
    "half a list of lengths": HI.replace(b": 2", b": 2,"),
    "no digits": HI.replace(b": 2", b": "),
    "a sign": HI.replace(b": 2", b": +2"),
    "a negative length": HI.replace(b": 2", b": -2"),
    "an underscore": HI.replace(b": 2", b": 0_2"),
    "a digit of another script": HI.replace(b": 2", b": \xb2"),
    "a huge length": HI.replace(b": 2", b": " + b"9" * 30),
    "a fraction": HI.replace(b": 2", b": 2.0"),
    "a no-break space before a length": HI.replace(b": 2", b": \xa02"),
    "a next line before a length": HI.replace(b": 2", b": \x852"),
    "a form feed before a length": HI.replace(b": 2", b": \x0c2"),
    "gzip with chunked": CHUNKED.replace(b"chunked", b"gzip, chunked"),
    "chunked with gzip": CHUNKED.replace(b"chunked", b"chunked, gzip"),
    "chunked twice": CHUNKED.replace(b"chunked", b"chunked, chunked"),
    "chunked in two fields": CHUNKED.replace(b"chunked\r\n", b"chunked\r\nTransfer-Encoding: chunked\r\n"),
    "no coding": CHUNKED.replace(b"chunked", b""),
    "identity": CHUNKED.replace(b"chunked", b"identity"),
    "a parameter of a coding": CHUNKED.replace(b"chunked", b"chunked;q=1"),
    "a no-break space behind chunked": CHUNKED.replace(b"chunked", b"chunked\xa0"),
    "both ends": CHUNKED.replace(b"chunked\r\n", b"chunked\r\n" + LENGTH),
    "an old version with chunks": CHUNKED.replace(b"HTTP/1.1", b"HTTP/1.0"),
    "a size as Python writes it": CHUNKED.replace(b"2\r\nhi", b"0x2\r\nhi"),
    "a size with a sign": CHUNKED.replace(b"2\r\nhi", b"+2\r\nhi"),
    "a size with an underscore": CHUNKED.replace(b"2\r\nhi", b"0_2\r\nhi"),
    "a space before a size": CHUNKED.replace(b"2\r\nhi", b" 2\r\nhi"),
    "a huge size": CHUNKED.replace(b"2\r\nhi", b"0" * 20 + b"2\r\nhi"),
    "no size": CHUNKED.replace(b"2\r\nhi", b";a\r\nhi"),
    "a chunk that is too long": CHUNKED.replace(b"hi", b"hi!"),
    "a chunk that ends in other characters": CHUNKED.replace(b"hi\r\n", b"hiXX"),
    "a line feed alone behind a chunk": CHUNKED.replace(b"hi\r\n", b"hi\n"),
    "a trailer that is none": CHUNKED[:-2] + b"rubbish\r\n\r\n",
    "a space in a trailer's name": CHUNKED[:-2] + b"X : 1\r\n\r\n",
    "a space before the colon": HI.replace(b"Length:", b"Length :"),
    "a space in a name": OK + b"X Y: 1\r\n" + LENGTH + b"\r\nhi",
    "a no-break space in a name": OK + b"\xa0X: 1\r\n" + LENGTH + b"\r\nhi",
    "no name": OK + b": 1\r\n" + LENGTH + b"\r\nhi",
    "no colon": OK + b"rubbish\r\n" + LENGTH + b"\r\nhi",
    "a fold before any field": OK + b" X: 1\r\n" + LENGTH + b"\r\nhi",
    "a return alone": OK + b"X: a\rb\r\n" + LENGTH + b"\r\nhi",
    "a line feed alone": OK + b"X: a\n" + LENGTH + b"\r\nhi",
    "line feeds only": HI.replace(b"\r\n", b"\n"),
    "NUL in a value": OK + b"X: a\0b\r\n" + LENGTH + b"\r\nhi",
    "NUL in the reason": HI.replace(b"OK", b"O\0K"),
    "HTTP/0.9": b"hi",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "another version": HI.replace(b"HTTP/1.1", b"HTTP/2.0"),
    "a long version": HI.replace(b"HTTP/1.1", b"HTTP/1.10"),
    "another protocol": HI.replace(b"HTTP", b"http"),
    "ICY": HI.replace(b"HTTP/1.1", b"ICY"),
    "an empty line first": b"\r\n" + HI,
    "a status of two digits": HI.replace(b"200", b"20"),
    "a status of four digits": HI.replace(b"200", b"2000"),
    "a status below 100": HI.replace(b"200", b"099"),
    "two spaces before the status": HI.replace(b" 200", b"  200"),
    "an upgrade that was not requested": HI.replace(b"200", b"101") + HI,
    "too many fields": OK + b"X: 1\r\n" * http_framing.FIELDS_MAX + LENGTH + b"\r\nhi",
    "too long a field": OK + b"X: " + b"y" * http_framing.HEAD_MAX + b"\r\n" + LENGTH + b"\r\nhi",
    "too many trailers": CHUNKED[:-2] + b"X: 1\r\n" * (http_framing.FIELDS_MAX + 1) + b"\r\n",
    "too many interim responses": b"HTTP/1.1 100 Continue\r\n\r\n" * 4_000 + HI,
    "too long an extension": CHUNKED.replace(b"2\r\n", b"2;" + b"x" * 2_000 + b"\r\n"),
    "a head that is cut": HI[:20],
    "a body that is cut": HI[:-1],
    "chunks that are cut": CHUNKED[:-2],
    "nothing": b"",
}


def make_receive(raw: bytes, size: int = 65_536) -> Callable[[], bytes]:
    """Return a function that returns `raw` in pieces, then b""."""
    pieces = iter([raw[at : at + size] for at in range(0, len(raw), size)])
    return lambda: next(pieces, b"")


class FakeSocket:
    """A socket that receives `raw`."""

    def __init__(self, raw: bytes, size: int = 65_536) -> None:
        self._receive = make_receive(raw, size)

    def recv(self, _most: int) -> bytes:
        return self._receive()

    def settimeout(self, _timeout: float) -> None:
        pass


def read_by_database_client(raw: bytes, size: int = 65_536) -> http_response.Answer:
    return http_response.read(cast(socket.socket, FakeSocket(raw, size)), FOREVER)


def read_by_framing(raw: bytes, method: str = "GET", size: int = 65_536) -> tuple[int, bytes] | None:
    """Return status and body as `http_framing` reads them; None if it rejects them."""
    stream = http_framing.ResponseStream(make_receive(raw, size))
    try:
        head = http_framing.read_head(stream, method)
        return head.status, b"".join(http_framing.read_body(stream, head))
    except http_framing.Malformed:
        return None


def read_by_h11(raw: bytes, method: str = "GET") -> tuple[int, bytes] | None:
    """Return the same, read by h11."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=http_framing.HEAD_MAX)
    connection.send(h11.Request(method=method, target="/", headers=[("Host", "here")]))
    connection.send(h11.EndOfMessage())
    status, body = 0, b""
    try:
        connection.receive_data(raw)
        connection.receive_data(b"")
        while type(event := connection.next_event()) is not h11.EndOfMessage:
            if isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif not isinstance(event, h11.InformationalResponse):
                return None
    except h11.RemoteProtocolError:
        return None
    return status, body


@pytest.fixture(scope="module")
def internet() -> Iterator[Internet]:
    """An empty fake internet."""
    with connected_to_nothing_else() as made:
        yield made


def fetch_raw(internet: Internet, raw: bytes) -> ssrf_safe_fetch.Fetched:
    """Return the response fetched from a server that sends `raw` and closes the connection."""
    internet.serves(lambda talk: talk.sendall(raw))
    return ssrf_safe_fetch.get(
        f"https://{NAME}/", deadline_s=60, bytes_max=10**9, resolver=lambda *_: [ADDRESS], tls=internet.tls
    )


@pytest.mark.parametrize("raw", SOUND.values(), ids=SOUND)
def test_valid_response_is_read_by_both_readers(internet: Internet, raw: bytes) -> None:
    """In any pieces."""
    for size in (1, 2, 3, 7, 65_536):
        assert read_by_framing(raw, size=size) == (200, b"hi")
        assert read_by_database_client(raw, size).body == b"hi"
    assert fetch_raw(internet, raw).body == b"hi"


@pytest.mark.parametrize("raw", FAULTY.values(), ids=FAULTY)
def test_malformed_response_is_rejected_by_both_readers(internet: Internet, raw: bytes) -> None:
    """RFC 9112: an ambiguous framing is an error."""
    for size in (3, 65_536):
        assert read_by_framing(raw, size=size) is None
        with pytest.raises(http_framing.Malformed):
            read_by_database_client(raw, size)
    with pytest.raises(ssrf_safe_fetch.FetchError):
        fetch_raw(internet, raw)


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("rest", [LENGTH, b"Transfer-Encoding: chunked\r\n", b""])
def test_response_without_a_body_ends_with_its_head(status: int, rest: bytes) -> None:
    """Whatever length it states (RFC 9110 §6.4.1); following bytes aren't part of it."""
    raw = b"HTTP/1.1 %d X\r\n%s\r\n" % (status, rest)
    assert read_by_framing(raw) == read_by_h11(raw) == (status, b"")
    assert read_by_database_client(raw).body == b""
    with pytest.raises(ValueError, match="more than one"):
        read_by_database_client(raw + b"hi")


def test_response_to_head_has_no_body() -> None:
    """Its length is that of a GET's response (RFC 9110 §9.3.2)."""
    assert read_by_framing(HI[:-2], "HEAD") == read_by_h11(HI[:-2], "HEAD") == (200, b"")


def test_response_without_a_length_ends_with_the_connection(internet: Internet) -> None:
    """For an untrusted server, as in HTTP/1.0; the DynamoDB reader rejects it, because it may be truncated."""
    assert fetch_raw(internet, OK + b"\r\nhi").body == b"hi"
    with pytest.raises(ValueError, match="no length"):
        read_by_database_client(OK + b"\r\nhi")


@pytest.mark.parametrize(
    ("fields", "keep_alive"),
    [
        (b"", True),
        (b"Connection: keep-alive\r\n", True),
        (b"Connection: Close\r\n", False),
        (b"Connection: x, close\r\n", False),
        (b"Connection: x\r\nConnection: close\r\n", False),
        (b"Connection: x-closed\r\n", True),
    ],
)
def test_connection_is_kept_unless_the_server_closes_it(fields: bytes, keep_alive: bool) -> None:
    """`close` is a member of a list (RFC 9112 §9.6), not a substring."""
    assert read_by_database_client(OK + fields + LENGTH + b"\r\nhi").keep_alive is keep_alive


@pytest.mark.parametrize(("fields", "keep_alive"), [(b"", False), (b"Connection: Keep-Alive\r\n", True)])
def test_http10_connection_is_kept_if_stated(fields: bytes, keep_alive: bool) -> None:
    """RFC 9112 §9.3."""
    assert read_by_database_client(b"HTTP/1.0 200 OK\r\n" + fields + LENGTH + b"\r\nhi").keep_alive is keep_alive


@pytest.mark.parametrize(
    "endless",
    [b"x", b"X: y\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", OK[:-2] + b"y" * 99],
    ids=["bytes", "fields", "interim", "reason"],
)
def test_endless_head_is_bounded(endless: bytes) -> None:
    """No more than the bound is read or stored."""
    served = 0

    def receive() -> bytes:
        nonlocal served
        served += len(endless)
        return OK if served == len(endless) and endless.startswith(b"X") else endless

    with pytest.raises(http_framing.Malformed):
        http_framing.read_head(http_framing.ResponseStream(receive))
    assert served <= http_framing.HEAD_MAX + 2 * len(endless) + 2_000


def test_endless_trailers_are_bounded() -> None:
    """They count towards the bound of the head."""
    pieces = iter([CHUNKED[:-2]])
    stream = http_framing.ResponseStream(lambda: next(pieces, b"X: y\r\n"))
    with pytest.raises(http_framing.Malformed):
        list(http_framing.read_body(stream, http_framing.read_head(stream)))


@pytest.mark.parametrize("length", [b"Content-Length: 99999999999\r\n", b"Transfer-Encoding: chunked\r\n"])
def test_memory_of_the_dynamodb_reader_is_bounded(length: bytes) -> None:
    """DynamoDB sends at most 16 MB of items; a longer response isn't DynamoDB's."""
    piece = b"1000\r\n" + b"x" * 4096 + b"\r\n"
    served = 0

    class Endless(FakeSocket):
        def recv(self, _most: int) -> bytes:
            nonlocal served
            served += 1
            return OK + length + b"\r\n" if served == 1 else piece

    with pytest.raises(http_framing.Malformed):
        http_response.read(cast(socket.socket, Endless(b"")), FOREVER)
    assert served * len(piece) < 2 * http_response.BODY_MAX


def test_slow_response_ends_at_the_deadline() -> None:
    """Pieces that arrive in time don't extend it."""

    class Dripping(FakeSocket):
        timeouts: list[float] = []  # noqa: RUF012 - of this one test

        def recv(self, _most: int) -> bytes:
            return b"x"

        def settimeout(self, timeout: float) -> None:
            self.timeouts.append(timeout)

    with pytest.raises(TimeoutError):
        http_response.read(cast(socket.socket, Dripping(b"")), clock.monotonic_ns() + 20_000_000)
    assert Dripping.timeouts == sorted(Dripping.timeouts, reverse=True)
    assert Dripping.timeouts[0] <= 0.02


BASES = st.sampled_from([*SOUND.values(), *FAULTY.values()]).filter(lambda raw: len(raw) < 2_000)
SCRAPS = st.sampled_from(
    [
        *(b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b",", b";", b"0", b"1", b"2", b"a", b"\xa0", b"\0", b"\x0b", b"x"),
        *(LENGTH, b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n", b"Content-Length: 1, 1\r\n", OK),
        *(
            b"chunked",
            b"gzip, ",
            b"\r\n\r\n",
            b"0\r\n\r\n",
            b"100",
            b"204",
            b"HTTP/1.0",
            b"-",
            b"_",
            b"0x",
            b"X: y\r\n",
        ),
    ]
)
CHANGES = st.lists(st.tuples(st.integers(0, 200), st.integers(0, 4), SCRAPS | st.just(b"")), max_size=4)


def mutate(raw: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    """Return `raw` with a few bytes removed or inserted."""
    for place, dropped, scrap in changes:
        at = place % (len(raw) + 1)
        raw = raw[:at] + scrap + raw[at + dropped :]
    return raw


def is_stricter_here(raw: bytes) -> bool:
    """Return whether a response has something that `http_framing` rejects and h11 accepts: see its module docstring."""
    head = raw.lower()
    has_coding = b"transfer-encoding:" in head
    return bool(
        re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|(?<!\r)\n|\r(?!\n)", raw)
        or (has_coding and (b"content-length:" in head or b"http/1.0" in head))
        or raw.count(b"\r\n") > http_framing.FIELDS_MAX
        or not raw.startswith(b"HTTP/1.")
        or re.search(rb"[0-9a-fA-F]{16}", raw)
        or re.search(rb"HTTP/[^1]|\n0[0-9]{2}|HTTP/1\.[0-9] (?:0|101)", raw)
    )


@settings(max_examples=exhaustive.examples(1_000), deadline=None)
@given(BASES, CHANGES, st.sampled_from(["GET", "HEAD"]), st.sampled_from([1, 5, 65_536]))
def test_framing_equals_h11s(raw: bytes, changes: list[tuple[int, int, bytes]], method: str, size: int) -> None:
    """Both accept the same responses, with the same status and body, except for the documented differences."""
    response = mutate(raw, changes)
    here, there = read_by_framing(response, method, size), read_by_h11(response, method)
    assert here == there or (here is None and is_stricter_here(response))
