"""A POST to a URL that a user chose: every status is a response, and only the beginning of the body is kept."""

import socket
import ssl
from collections.abc import Iterator
from itertools import count
from typing import Any
from unittest import mock

import pytest

from chalicelib.core import clock, http_framing, ssrf_safe_fetch
from chalicelib.core.ssrf_safe_fetch import Fetched, FetchError
from tests.support.fake_internet import ADDRESS, NAME, Internet, replace_internet
from tests.support.webhook_receiver import Receiver

URL = f"https://{NAME}/hook?a=b"
TEN = 10


@pytest.fixture
def internet() -> Iterator[Internet]:
    """An empty fake internet."""
    with replace_internet() as made:
        yield made


def post_to(internet: Internet, body: bytes = b"hi") -> Fetched:
    """Send a POST to a server on the fake internet, and keep ten bytes of its response."""
    return ssrf_safe_fetch.post(
        URL,
        body,
        {"Content-Type": "text/plain"},
        deadline_s=60,
        bytes_max=TEN,
        resolver=lambda _host, _port: [ADDRESS],
        tls=internet.tls,
    )


@pytest.mark.parametrize("status", ["200 OK", "204 No Content", "302 Found", "404 Not Found", "500 Fault"])
def test_every_status_is_a_response(internet: Internet, status: str) -> None:
    """The status of every response is returned, and a redirect isn't followed. The request contains the given headers
    and body.
    """
    internet.respond(b"", status=status, headers="Location: https://169.254.169.254/\r\n")
    assert post_to(internet).status == int(status[:3])
    (request,) = internet.requests
    head = request.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    assert head[0] == "POST /hook?a=b HTTP/1.1"
    assert {f"Host: {NAME}", "Content-Type: text/plain", "Content-Length: 2", "Connection: close"} <= set(head)
    assert internet.connected == [(ADDRESS, 443)]


@pytest.mark.parametrize("status", ["300 First", "399 Last"])
def test_redirect_of_a_get_is_rejected(internet: Internet, status: str) -> None:
    """A GET that is redirected raises an error, for the first and the last redirect status."""
    internet.respond(b"", status=status)
    with pytest.raises(FetchError, match=r"^It responds with a redirect, which isn't followed\.$"):
        ssrf_safe_fetch.get(
            URL, deadline_s=60, bytes_max=TEN, resolver=lambda _host, _port: [ADDRESS], tls=internet.tls
        )


@pytest.mark.parametrize("size", [0, 1, TEN - 1, TEN, TEN + 1, 5_000])
def test_only_the_requested_part_of_a_body_is_kept(internet: Internet, size: int) -> None:
    """The headers are kept, and the body up to the requested length."""
    internet.respond(b"x" * size)
    response = post_to(internet)
    assert (response.status, response.body) == (200, b"x" * min(size, TEN))
    assert response.headers == {"content-length": str(size)}


@pytest.mark.parametrize(
    "rest",
    [b"Content-Length: 9\r\n\r\nhi", b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\nzz", b"\r\nhi"],
    ids=["short", "bad chunk", "until the end"],
)
def test_truncated_body_is_no_error(internet: Internet, rest: bytes) -> None:
    """A truncated body is not an error, because the status was received."""
    internet.serve(lambda talk: talk.sendall(b"HTTP/1.1 202 X\r\n" + rest))
    assert (post_to(internet).status, post_to(internet).body) == (202, b"hi")


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (b"nonsense\r\n\r\n", "Its response is not valid HTTP."),
        (b"HTTP/1.1 200", "Its response is not valid HTTP."),
        (b"", "Its response is not valid HTTP."),
    ],
)
def test_missing_status_is_an_error(internet: Internet, response: bytes, reason: str) -> None:
    """If no status is received, the error contains a message for the user who chose the URL."""
    internet.serve(lambda talk: talk.sendall(response))
    with pytest.raises(FetchError) as failed:
        post_to(internet)
    assert str(failed.value) == reason


@pytest.mark.parametrize(("piece", "left"), [(b"x" * 4, 1), (b"x" * 5, 2), (b"x" * 11, 3)])
def test_no_more_is_read_than_is_kept(piece: bytes, left: int) -> None:
    """Of an endless body, only the part that is kept is read."""
    pieces = iter([piece] * 4)
    stream = http_framing.ResponseStream(lambda: next(pieces))
    head = http_framing.Head(200, {}, keep_alive=False, length=http_framing.UNTIL_CLOSE)
    assert ssrf_safe_fetch._read_start(stream, head, TEN) == b"x" * TEN
    assert len(list(pieces)) == left


def test_first_four_addresses_share_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first four addresses share the remaining time equally; a fifth is never tried."""
    tried: list[tuple[tuple[str, int], float]] = []
    now_s = 0

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        nonlocal now_s
        tried.append((address, timeout))
        now_s += 3
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", connect)
    addresses = [f"8.8.8.{number}" for number in range(5)]
    with (
        clock.use_monotonic_clock(lambda: now_s * 10**9),
        pytest.raises(FetchError, match=r"^It refuses connections\.$"),
    ):
        ssrf_safe_fetch.get(URL, deadline_s=24, bytes_max=1, resolver=lambda _host, _port: addresses)
    assert [address for address, _ in tried] == [(address, 443) for address in addresses[:4]]
    assert [timeout for _, timeout in tried] == pytest.approx([24 / 4, 21 / 3, 18 / 2, 15])


def test_handshake_has_the_remaining_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The TLS handshake must end within the time that is left after connecting."""
    plain = mock.Mock(spec=socket.socket)
    tls = mock.Mock(spec=ssl.SSLContext)
    monkeypatch.setattr(socket, "create_connection", lambda *_exchange: plain)
    place = ssrf_safe_fetch._parse_url(URL, tls)
    with clock.use_monotonic_clock(lambda: 4 * 10**9):
        assert ssrf_safe_fetch._connect(place, 10 * 10**9) is tls.wrap_socket.return_value
    plain.settimeout.assert_called_once_with(6)
    tls.wrap_socket.assert_called_once_with(plain, server_hostname=NAME)
    plain.close.assert_called_once_with()


def test_every_step_shares_one_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connecting, sending and each piece of the response have one common deadline."""
    plain = mock.Mock(spec=socket.socket)
    plain.recv.side_effect = [b"HTTP/1.1 200 OK\r\n", b"Content-Length: 0\r\n\r\n"]
    connect = mock.Mock(return_value=plain)
    monkeypatch.setattr(socket, "create_connection", connect)
    seconds = count()
    with clock.use_monotonic_clock(lambda: next(seconds) * 10**9):
        response = ssrf_safe_fetch.post(
            "http://localhost:1/",
            b"hi",
            {},
            deadline_s=100,
            bytes_max=TEN,
            loopback=True,
            resolver=lambda _host, _port: ["127.0.0.1"],
        )
    assert response.status == 200
    connect.assert_called_once_with(("127.0.0.1", 1), 98)
    assert [call.args for call in plain.settimeout.call_args_list] == [(97,), (96,), (95,)]
    plain.close.assert_called_once_with()


def test_loopback_receiver_is_requested_if_allowed(receiver: Receiver) -> None:
    """If loopback is allowed, the request is plain http with the URL's port and path."""
    receiver.response_body = b"thanks"
    receiver.statuses = [200]
    more: dict[str, Any] = {"deadline_s": 60, "bytes_max": TEN}
    assert ssrf_safe_fetch.post(receiver.url, b"hi", {"webhook-id": "1"}, loopback=True, **more).status == 200
    assert [each.body for each in receiver.received] == [b"hi"]
    with pytest.raises(FetchError, match=r"^Only https URLs are allowed\.$"):
        ssrf_safe_fetch.post(receiver.url, b"hi", {}, **more)


def test_status_of_the_own_url_is_returned(receiver: Receiver) -> None:
    """A status check of the service's own URL allows a private address and plain http, and doesn't read the body."""
    receiver.statuses = [302]
    assert ssrf_safe_fetch.fetch_status(f"{receiver.url}/health", deadline_s=60) == 302
    assert receiver.get_paths == ["/hooks/health"]
    with pytest.raises(FetchError):
        ssrf_safe_fetch.fetch_status("https://u:p@[", deadline_s=60)
