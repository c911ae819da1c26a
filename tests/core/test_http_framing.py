"""The DynamoDB client and the fetch find the end of a response like h11 (RFC 9112), except for documented stricter
rules.
"""

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
from tests.core.raw_responses import CHUNKED, HI, LENGTH, MALFORMED, OK, VALID
from tests.support import exhaustive
from tests.support.fake_internet import ADDRESS, NAME, Internet, replace_internet

FOREVER = 10**18


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


def read_by_database_client(raw: bytes, size: int = 65_536) -> http_response.HttpResponse:
    return http_response.read(cast(socket.socket, FakeSocket(raw, size)), FOREVER)


def read_by_framing(raw: bytes, method: str = "GET", size: int = 65_536) -> tuple[int, bytes] | None:
    """Return status and body as `http_framing` reads them; None for a rejected response."""
    stream = http_framing.ResponseStream(make_receive(raw, size))
    try:
        head = http_framing.read_head(stream, method)
        return head.status, b"".join(http_framing.read_body(stream, head))
    except http_framing.Malformed:
        return None


def read_by_h11(raw: bytes, method: str = "GET") -> tuple[int, bytes] | None:
    """Return status and body as h11 reads them; None for a rejected response."""
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
    with replace_internet() as made:
        yield made


def fetch_raw(internet: Internet, raw: bytes) -> ssrf_safe_fetch.Fetched:
    """Return the response fetched from a server that sends `raw` and closes the connection."""
    internet.serve(lambda talk: talk.sendall(raw))
    return ssrf_safe_fetch.get(
        f"https://{NAME}/", deadline_s=60, bytes_max=10**9, resolver=lambda *_: [ADDRESS], tls=internet.tls
    )


@pytest.mark.parametrize("raw", VALID.values(), ids=VALID)
def test_valid_response_is_read_by_both_readers(internet: Internet, raw: bytes) -> None:
    """A valid response, received in any pieces, is read by both the DynamoDB client and the fetch."""
    for size in (1, 2, 3, 7, 65_536):
        assert read_by_framing(raw, size=size) == (200, b"hi")
        assert read_by_database_client(raw, size).body == b"hi"
    assert fetch_raw(internet, raw).body == b"hi"


@pytest.mark.parametrize("raw", MALFORMED.values(), ids=MALFORMED)
def test_malformed_response_is_rejected_by_both_readers(internet: Internet, raw: bytes) -> None:
    """A response with ambiguous framing is rejected by both the DynamoDB client and the fetch (RFC 9112)."""
    for size in (3, 65_536):
        assert read_by_framing(raw, size=size) is None
        with pytest.raises(http_framing.Malformed):
            read_by_database_client(raw, size)
    with pytest.raises(ssrf_safe_fetch.FetchError):
        fetch_raw(internet, raw)


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("rest", [LENGTH, b"Transfer-Encoding: chunked\r\n", b""])
def test_response_without_a_body_ends_with_its_head(status: int, rest: bytes) -> None:
    """A response without a body ends with its head, whatever its Content-Length (RFC 9110 §6.4.1)."""
    raw = b"HTTP/1.1 %d X\r\n%s\r\n" % (status, rest)
    assert read_by_framing(raw) == read_by_h11(raw) == (status, b"")
    assert read_by_database_client(raw).body == b""
    with pytest.raises(ValueError, match="more than one"):
        read_by_database_client(raw + b"hi")


def test_response_to_head_has_no_body() -> None:
    """The response to a HEAD request has no body; its Content-Length is that of a GET (RFC 9110 §9.3.2)."""
    assert read_by_framing(HI[:-2], "HEAD") == read_by_h11(HI[:-2], "HEAD") == (200, b"")


def test_response_without_a_length_ends_with_the_connection(internet: Internet) -> None:
    """A fetch accepts a body that ends with the connection; the DynamoDB client rejects it as possibly truncated."""
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
    """The Connection header closes a connection if `close` is a member of its list (RFC 9112 §9.6)."""
    assert read_by_database_client(OK + fields + LENGTH + b"\r\nhi").keep_alive is keep_alive


@pytest.mark.parametrize(("fields", "keep_alive"), [(b"", False), (b"Connection: Keep-Alive\r\n", True)])
def test_http10_connection_is_kept_if_stated(fields: bytes, keep_alive: bool) -> None:
    """An HTTP/1.0 connection is kept open only after a response with `Connection: keep-alive` (RFC 9112 §9.3)."""
    assert read_by_database_client(b"HTTP/1.0 200 OK\r\n" + fields + LENGTH + b"\r\nhi").keep_alive is keep_alive


@pytest.mark.parametrize(
    "endless",
    [b"x", b"X: y\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", OK[:-2] + b"y" * 99],
    ids=["bytes", "fields", "interim", "reason"],
)
def test_endless_head_is_bounded(endless: bytes) -> None:
    """If a head never ends, no more than the limit is read."""
    served = 0

    def receive() -> bytes:
        nonlocal served
        served += len(endless)
        return OK if served == len(endless) and endless.startswith(b"X") else endless

    with pytest.raises(http_framing.Malformed):
        http_framing.read_head(http_framing.ResponseStream(receive))
    assert served <= http_framing.HEAD_MAX + 2 * len(endless) + 2_000


def test_endless_trailers_are_bounded() -> None:
    """Endless trailers are rejected, because they count towards the limit of the head."""
    pieces = iter([CHUNKED[:-2]])
    stream = http_framing.ResponseStream(lambda: next(pieces, b"X: y\r\n"))
    with pytest.raises(http_framing.Malformed):
        list(http_framing.read_body(stream, http_framing.read_head(stream)))


@pytest.mark.parametrize("length", [b"Content-Length: 99999999999\r\n", b"Transfer-Encoding: chunked\r\n"])
def test_memory_of_the_dynamodb_reader_is_bounded(length: bytes) -> None:
    """The DynamoDB client rejects a response above 64 MB; DynamoDB sends at most 16 MB of items."""
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
    """A slow response fails at the deadline, even if its pieces keep arriving."""

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


BASES = st.sampled_from([*VALID.values(), *MALFORMED.values()]).filter(lambda raw: len(raw) < 2_000)
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
    """Return whether h11 accepts a response that `http_framing` rejects by one of its stricter rules."""
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
    """`http_framing` accepts the same responses as h11, with equal status and body, except for its stricter rules."""
    response = mutate(raw, changes)
    here, there = read_by_framing(response, method, size), read_by_h11(response, method)
    assert here == there or (here is None and is_stricter_here(response))
