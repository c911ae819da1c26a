"""The connection pool's addresses and timeouts, tested without a server."""

import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest

from chalicelib.core import clock
from chalicelib.core.dynamodb import connection_pool
from chalicelib.core.dynamodb.connection_pool import ConnectionPool, NoResponse
from tests.core.tcp_server import respond_always, start_server

OK = b"HTTP/1.1 204 None\r\n\r\n"


def make_pool(url: str = "http://db.example", **timeouts: float) -> ConnectionPool:
    """Return a pool for a URL."""
    return ConnectionPool(url, **{"connect_timeout_s": 2.0, "read_timeout_s": 3.0} | timeouts)  # type: ignore[arg-type]  # two floats


@pytest.mark.parametrize(
    ("url", "address", "is_encrypted"),
    [
        ("https://db.example", ("db.example", 443), True),
        ("https://db.example:8443/", ("db.example", 8443), True),
        ("http://db.example", ("db.example", 80), False),
        ("http://127.0.0.1:8001", ("127.0.0.1", 8001), False),
        ("http://[::1]:8001", ("::1", 8001), False),
    ],
)
def test_url_determines_address_and_encryption(url: str, address: tuple[str, int], is_encrypted: bool) -> None:
    """Host, port and encryption follow from the URL; the default port is that of the scheme."""
    assert (make_pool(url)._address, make_pool(url)._encrypted) == (address, is_encrypted)


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> list[tuple[tuple[str, int], float]]:
    """Every connection attempt and its timeout, for a host name with three unreachable addresses."""
    attempts: list[tuple[tuple[str, int], float]] = []

    def resolve(host: str, port: int, **_more: Any) -> list[Any]:
        assert (host, port) == ("db.example", 80)
        return [(None, None, None, "", (f"10.0.0.{number}", 0)) for number in range(3)]

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        attempts.append((address, timeout))
        raise ConnectionRefusedError(str(len(attempts)))

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "create_connection", connect)
    return attempts


def test_every_address_is_tried_within_one_timeout(attempts: list[tuple[tuple[str, int], float]]) -> None:
    """All addresses are tried in order within one timeout; if all fail, the last error is raised."""
    with pytest.raises(NoResponse, match=r"^no connection: ConnectionRefusedError$") as failed:
        make_pool().send(b"")
    assert [address for address, _ in attempts] == [(f"10.0.0.{number}", 80) for number in range(3)]
    assert all(1.5 < timeout <= 2 for _, timeout in attempts)
    assert str(failed.value.__cause__) == "3"


@pytest.mark.parametrize("failure", [OSError, KeyboardInterrupt])
def test_unfinished_connection_is_closed(monkeypatch: pytest.MonkeyPatch, failure: type[BaseException]) -> None:
    """A connection is closed if anything fails between connecting and its first request."""
    plain = mock.Mock(spec=socket.socket)
    plain.settimeout.side_effect = failure
    monkeypatch.setattr(socket, "create_connection", lambda *_asked: plain)
    with pytest.raises((NoResponse, KeyboardInterrupt)):
        make_pool("http://127.0.0.1:1").send(b"")
    plain.close.assert_called_once_with()


def test_handshake_is_within_the_connect_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """The TLS handshake uses the URL's host name and must end within the connect timeout. Afterwards the read timeout
    applies.
    """
    plain, wrapped, verifier = mock.Mock(spec=socket.socket), mock.Mock(), mock.Mock(spec=ssl.SSLContext)
    verifier.wrap_socket.return_value = wrapped
    monkeypatch.setattr(socket, "create_connection", lambda *_asked: plain)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_asked, **_more: [(None, None, None, "", ("10.0.0.1", 0))])
    pool = make_pool("https://db.example")
    vars(pool)["_tls_context"] = verifier
    assert pool._open() is wrapped
    ((left_s,),) = (call.args for call in plain.settimeout.call_args_list)
    assert 1.5 < left_s <= 2
    verifier.wrap_socket.assert_called_once_with(plain, server_hostname="db.example")
    wrapped.settimeout.assert_called_once_with(3)


def test_host_without_an_address_raises_no_response(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host name without an address raises NoResponse, like any other outage."""
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_asked, **_more: [])
    with pytest.raises(NoResponse, match=r"^no connection: OSError$"):
        make_pool().send(b"")


def test_no_address_is_tried_after_the_connect_timeout(attempts: list[tuple[tuple[str, int], float]]) -> None:
    """After the connect timeout no further address is tried."""
    with pytest.raises(NoResponse, match=r"^no connection: TimeoutError$"):
        make_pool(connect_timeout_s=0).send(b"")
    assert attempts == []


@pytest.mark.parametrize("left_ns", [0, -1])
def test_remaining_time_is_exact(left_ns: int) -> None:
    """The remaining time is computed to the nanosecond."""
    with pytest.raises(TimeoutError, match=r"^connect timeout$"):
        connection_pool._left_s(clock.monotonic_ns() + left_ns)
    assert 0.9 < connection_pool._left_s(clock.monotonic_ns() + 10**9) <= 1


@pytest.fixture
def ends() -> Iterator[tuple[ConnectionPool, socket.socket, socket.socket]]:
    """A pool with one connection that has just become idle, and both ends of that connection."""
    here, there = socket.socketpair()
    pool = make_pool()
    here.settimeout(1)
    pool._idle.append((here, clock.now_ms()))
    with here, there:
        yield pool, here, there


def respond(there: socket.socket, what: bytes) -> None:
    """Respond to the next request."""

    def serve() -> None:
        there.recv(10)
        there.sendall(what)

    threading.Thread(target=serve, daemon=True).start()


def test_idle_connection_is_reused_and_idle_again(ends: tuple[ConnectionPool, socket.socket, socket.socket]) -> None:
    """An idle connection is reused with its full timeout, and its idle time starts again."""
    pool, here, there = ends
    respond(there, OK)
    times_ms = iter([5_000, 7_000])
    pool._idle[0] = (here, 4_000)
    with clock.use_wall_clock(lambda: next(times_ms)):
        assert pool.send(b"ping").status == 204
    assert list(pool._idle) == [(here, 7_000)]
    assert here.gettimeout() == 3


@pytest.mark.parametrize(("since_ms", "is_used"), [(0, True), (19_999, True), (20_000, False), (-1, False)])
def test_connection_is_reused_for_twenty_seconds(
    ends: tuple[ConnectionPool, socket.socket, socket.socket], since_ms: int, is_used: bool
) -> None:
    """An idle connection is reused for twenty seconds, and closed later or if the clock was set back."""
    pool, here, _ = ends
    pool._idle[0] = (here, 1_000_000)
    with clock.use_wall_clock(lambda: 1_000_000 + since_ms):
        assert pool._pop_idle() is (here if is_used else None)
    assert (here.fileno() == -1) is not is_used


def test_connection_with_unexpected_data_is_closed(
    ends: tuple[ConnectionPool, socket.socket, socket.socket],
) -> None:
    """An idle connection that has received data is closed, because the data would be read as the next response."""
    pool, here, there = ends
    there.sendall(OK)
    assert pool._pop_idle() is None
    assert here.fileno() == -1


def test_close_closes_all_idle_connections(ends: tuple[ConnectionPool, socket.socket, socket.socket]) -> None:
    """`close` closes all idle connections."""
    pool, here, there = ends
    pool._idle.append((there, 0))
    pool.close()
    assert (here.fileno(), there.fileno(), len(pool._idle)) == (-1, -1, 0)


def test_interrupted_connection_is_closed() -> None:
    """A connection is closed if its request is interrupted, so that no other request reads its response."""

    class Interrupted:
        is_closed = False

        def sendall(self, _request: bytes) -> None:
            raise KeyboardInterrupt

        def close(self) -> None:
            self.is_closed = True

    pool, connection = make_pool(), Interrupted()
    with pytest.raises(KeyboardInterrupt):
        pool._exchange(connection, b"")  # type: ignore[arg-type]  # it has all used members
    assert connection.is_closed
    assert len(pool._idle) == 0


def test_failed_connection_closes_all_idle_ones(ends: tuple[ConnectionPool, socket.socket, socket.socket]) -> None:
    """A failed connection closes all idle ones, which are probably broken, too."""
    pool, here, there = ends
    older, other = socket.socketpair()
    pool._idle.appendleft((older, clock.now_ms()))
    respond(there, b"rubbish\r\n\r\n")
    with pytest.raises(NoResponse, match=r"^no response: Malformed$"):
        pool.send(b"ping")
    assert (here.fileno(), older.fileno(), len(pool._idle)) == (-1, -1, 0)
    other.close()


def test_new_connection_sends_immediately_and_has_the_read_timeout() -> None:
    """A new connection has Nagle's algorithm disabled and the read timeout set."""
    with start_server(respond_always(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), read_timeout_s=7) as (_, pool):
        connection = pool._open()
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
        assert connection.gettimeout() == 7
        connection.close()
