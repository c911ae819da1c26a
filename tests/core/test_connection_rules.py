"""The address and the timeouts of connections, without a server."""

import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest

from chalicelib.core import clock
from chalicelib.core.dynamodb import connection_pool
from chalicelib.core.dynamodb.connection_pool import Connections, NoResponse
from tests.core.test_connection_pool import always, served

OK = b"HTTP/1.1 204 None\r\n\r\n"


def made(url: str = "http://db.example", **timeouts: float) -> Connections:
    """Return connections to a URL."""
    return Connections(url, **{"connect_timeout_s": 2.0, "read_timeout_s": 3.0} | timeouts)  # type: ignore[arg-type]  # two


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
def test_url_says_where_and_whether_encrypted(url: str, address: tuple[str, int], is_encrypted: bool) -> None:
    """With the scheme's own port where it names none."""
    assert (made(url)._address, made(url)._encrypted) == (address, is_encrypted)


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[tuple[tuple[str, int], float]]:
    """Every attempt to connect and its timeout: a name of three addresses, at which nobody is."""
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


def test_every_address_of_the_name_is_tried_within_the_time_for_one(tried: list[tuple[tuple[str, int], float]]) -> None:
    """One after another; why the last failed is what is said."""
    with pytest.raises(NoResponse, match=r"^no connection: ConnectionRefusedError$") as failed:
        made().send(b"")
    assert [address for address, _ in tried] == [(f"10.0.0.{number}", 80) for number in range(3)]
    assert all(1.5 < timeout <= 2 for _, timeout in tried)
    assert str(failed.value.__cause__) == "3"


@pytest.mark.parametrize("failure", [OSError, KeyboardInterrupt])
def test_connection_that_was_not_finished_is_closed(
    monkeypatch: pytest.MonkeyPatch, failure: type[BaseException]
) -> None:
    """Whatever came between connecting and the first request."""
    plain = mock.Mock(spec=socket.socket)
    plain.settimeout.side_effect = failure
    monkeypatch.setattr(socket, "create_connection", lambda *_asked: plain)
    with pytest.raises((NoResponse, KeyboardInterrupt)):
        made("http://127.0.0.1:1").send(b"")
    plain.close.assert_called_once_with()


def test_handshake_is_within_the_time_for_connecting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under the name of the URL; then the connection waits as long as an answer may take."""
    plain, wrapped, verifier = mock.Mock(spec=socket.socket), mock.Mock(), mock.Mock(spec=ssl.SSLContext)
    verifier.wrap_socket.return_value = wrapped
    monkeypatch.setattr(socket, "create_connection", lambda *_asked: plain)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_asked, **_more: [(None, None, None, "", ("10.0.0.1", 0))])
    kept = made("https://db.example")
    vars(kept)["_tls_context"] = verifier
    assert kept._open() is wrapped
    ((left_s,),) = (call.args for call in plain.settimeout.call_args_list)
    assert 1.5 < left_s <= 2
    verifier.wrap_socket.assert_called_once_with(plain, server_hostname="db.example")
    wrapped.settimeout.assert_called_once_with(3)


def test_name_without_an_address_has_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an outage like any other."""
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_asked, **_more: [])
    with pytest.raises(NoResponse, match=r"^no connection: OSError$"):
        made().send(b"")


def test_time_for_connecting_is_over_when_it_is(tried: list[tuple[tuple[str, int], float]]) -> None:
    """Then no address is tried any more."""
    with pytest.raises(NoResponse, match=r"^no connection: TimeoutError$"):
        made(connect_timeout_s=0).send(b"")
    assert tried == []


@pytest.mark.parametrize("left_ns", [0, -1])
def test_nothing_is_left_of_a_time_that_is_over(left_ns: int) -> None:
    """To the nanosecond."""
    with pytest.raises(TimeoutError, match=r"^connect timeout$"):
        connection_pool._left_s(clock.monotonic_ns() + left_ns)
    assert 0.9 < connection_pool._left_s(clock.monotonic_ns() + 10**9) <= 1


@pytest.fixture
def ends() -> Iterator[tuple[Connections, socket.socket, socket.socket]]:
    """Connections of which one is idle since now, and both of its ends."""
    here, there = socket.socketpair()
    kept = made()
    here.settimeout(1)
    kept._idle.append((here, clock.now_ms()))
    with here, there:
        yield kept, here, there


def answer(there: socket.socket, what: bytes) -> None:
    """Answer the request that comes next."""

    def serve() -> None:
        there.recv(10)
        there.sendall(what)

    threading.Thread(target=serve, daemon=True).start()


def test_idle_connection_is_used_and_idle_again(ends: tuple[Connections, socket.socket, socket.socket]) -> None:
    """Since this moment, with its whole time for the next answer."""
    kept, here, there = ends
    answer(there, OK)
    times_ms = iter([5_000, 7_000])
    kept._idle[0] = (here, 4_000)
    with clock.driven_by(lambda: next(times_ms)):
        assert kept.send(b"ping").status == 204
    assert list(kept._idle) == [(here, 7_000)]
    assert here.gettimeout() == 3


@pytest.mark.parametrize(("since_ms", "is_used"), [(0, True), (19_999, True), (20_000, False), (-1, False)])
def test_connection_is_used_again_for_twenty_seconds(
    ends: tuple[Connections, socket.socket, socket.socket], since_ms: int, is_used: bool
) -> None:
    """One that isn't is closed; a clock that was set back says nothing of how old it is."""
    kept, here, _ = ends
    kept._idle[0] = (here, 1_000_000)
    with clock.driven_by(lambda: 1_000_000 + since_ms):
        assert kept._pop_idle() is (here if is_used else None)
    assert (here.fileno() == -1) is not is_used


def test_connection_on_which_something_came_unasked_is_closed(
    ends: tuple[Connections, socket.socket, socket.socket],
) -> None:
    """It would be taken for the next answer."""
    kept, here, there = ends
    there.sendall(OK)
    assert kept._pop_idle() is None
    assert here.fileno() == -1


def test_closing_closes_what_is_idle(ends: tuple[Connections, socket.socket, socket.socket]) -> None:
    """All of it."""
    kept, here, there = ends
    kept._idle.append((there, 0))
    kept.close()
    assert (here.fileno(), there.fileno(), len(kept._idle)) == (-1, -1, 0)


def test_connection_that_was_interrupted_is_closed() -> None:
    """Half an answer may still be on its way: nobody else may read it."""

    class Interrupted:
        is_closed = False

        def sendall(self, _request: bytes) -> None:
            raise KeyboardInterrupt

        def close(self) -> None:
            self.is_closed = True

    kept, connection = made(), Interrupted()
    with pytest.raises(KeyboardInterrupt):
        kept._exchange(connection, b"")  # type: ignore[arg-type]  # all of it that is used
    assert connection.is_closed
    assert len(kept._idle) == 0


def test_failed_connection_takes_all_idle_ones_with_it(ends: tuple[Connections, socket.socket, socket.socket]) -> None:
    """They went to sleep with it."""
    kept, here, there = ends
    older, other = socket.socketpair()
    kept._idle.appendleft((older, clock.now_ms()))
    answer(there, b"rubbish\r\n\r\n")
    with pytest.raises(NoResponse, match=r"^no response: Malformed$"):
        kept.send(b"ping")
    assert (here.fileno(), older.fileno(), len(kept._idle)) == (-1, -1, 0)
    other.close()


def test_new_connection_sends_at_once_and_waits_as_long_as_an_answer_may_take() -> None:
    """Nothing is held back for a fuller packet."""
    with served(always(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), read_timeout_s=7) as (_, kept):
        connection = kept._open()
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
        assert connection.gettimeout() == 7
        connection.close()
