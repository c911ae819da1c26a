"""Kept-alive connections: used again while they stand, found out when they don't, never shared by two requests."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count

import pytest
import trustme

from chalicelib.core import clock
from chalicelib.core.dynamodb.connection_pool import IDLE_FOR_MS, IDLE_MAX, Connections, NoResponse

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Kind: Plain\r\n\r\nhi"
CLOSING = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n1\r\ni\r\n0\r\n\r\n"
TRAILING = CHUNKED[:-2] + b"X-Sum: 1\r\n\r\n"
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n"
REQUEST = b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 0\r\n\r\n"
Serve = Callable[[socket.socket], None]


class Server:
    """Serves each connection by a function of its own, in a thread of its own; counts the connections."""

    def __init__(self, serve: Serve, tls: ssl.SSLContext | None = None) -> None:
        self.accepted = 0
        self.serve, self.tls = serve, tls
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            self.accepted += 1
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection: socket.socket) -> None:
        try:
            if self.tls is not None:
                connection = self.tls.wrap_socket(connection, server_side=True)
            self.serve(connection)
        except OSError:
            pass
        finally:
            connection.close()


@contextmanager
def served(
    serve: Serve, tls: ssl.SSLContext | None = None, *, read_timeout_s: float = 30, **more: str
) -> Iterator[tuple[Server, Connections]]:
    """Return a server, and connections to it; they are only in a hurry where that is what is tested."""
    server = Server(serve, tls)
    url = f"{'https' if tls else 'http'}://{'localhost' if tls else '127.0.0.1'}:{server.port}"
    connections = Connections(url, connect_timeout_s=30, read_timeout_s=read_timeout_s, **more)
    try:
        yield server, connections
    finally:
        connections.close()
        server.listening.close()


def request_of(connection: socket.socket) -> bool:
    """Read one request; return whether there was one."""
    received = b""
    while not received.endswith(b"\r\n\r\n"):
        more = connection.recv(4096)
        if not more:
            return False
        received += more
    return True


def always(answer: bytes) -> Serve:
    """Answer every request of a connection."""

    def serve(connection: socket.socket) -> None:
        while request_of(connection):
            connection.sendall(answer)

    return serve


def once(answer: bytes) -> Serve:
    """Answer the first request of a connection and hang up."""

    def serve(connection: socket.socket) -> None:
        request_of(connection)
        connection.sendall(answer)

    return serve


@pytest.mark.parametrize(
    "answer", [OK, CHUNKED, TRAILING, INTERIM + OK], ids=["length", "chunks", "trailer", "interim"]
)
def test_connection_is_used_again(answer: bytes) -> None:
    """Whatever the answer's framing."""
    with served(always(answer)) as (server, connections):
        assert [connections.send(REQUEST).body for _ in range(5)] == [b"hi"] * 5
        assert server.accepted == 1


def test_answer_may_come_in_any_pieces() -> None:
    """A network splits where it likes."""
    for answer in (OK, TRAILING):

        def serve(connection: socket.socket, answer: bytes = answer) -> None:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while request_of(connection):
                for byte in answer:
                    connection.sendall(bytes([byte]))

        with served(serve) as (server, connections):
            assert [connections.send(REQUEST).body for _ in range(3)] == [b"hi"] * 3
            assert server.accepted == 1


def test_old_server_closes_after_each_answer() -> None:
    """HTTP/1.0 keeps nothing alive unless it says so."""
    with served(always(OK.replace(b"1.1", b"1.0"))) as (server, connections):
        assert [connections.send(REQUEST).body for _ in range(2)] == [b"hi"] * 2
        assert server.accepted == 2


def test_names_of_headers_are_in_lower_case() -> None:
    """Servers differ in how they write them."""
    with served(always(OK)) as (_, connections):
        assert connections.send(REQUEST).headers["x-kind"] == "Plain"


def test_connection_that_the_server_closes_is_not_used_again() -> None:
    """It says so."""
    with served(once(CLOSING)) as (server, connections):
        assert [connections.send(REQUEST).body for _ in range(3)] == [b"hi"] * 3
        assert server.accepted == 3


def test_connection_that_was_closed_while_idle_is_found_out() -> None:
    """It doesn't say so: the next request takes a new connection and fails nobody."""
    closed = threading.Event()

    def serve(connection: socket.socket) -> None:
        once(OK)(connection)
        connection.close()
        closed.set()

    with served(serve) as (server, connections):
        for _ in range(3):
            assert connections.send(REQUEST).body == b"hi"
            assert closed.wait(30)
            closed.clear()
        assert server.accepted == 3


def test_half_closed_connection_is_found_out() -> None:
    """The server says no more, and still listens."""
    shut = threading.Event()

    def serve(connection: socket.socket) -> None:
        once(OK)(connection)
        connection.shutdown(socket.SHUT_WR)
        shut.set()
        connection.recv(1)

    with served(serve) as (server, connections):
        assert connections.send(REQUEST).body == b"hi"
        assert shut.wait(30)
        assert connections.send(REQUEST).body == b"hi"
        assert server.accepted == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi",
        b"HTTP/1.1 200",
        b"rubbish\r\n\r\n",
        b"\xff" * 99_999,
        b"HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nrubbish\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nhi",
        OK + OK,
        CHUNKED.replace(b"1\r\nh", b"z\r\nh"),
        CHUNKED.replace(b"1\r\nh", b"-1\r\nh"),
        CHUNKED.replace(b"1\r\nh\r\n", b"1\r\nhh\r\n"),
        CHUNKED.replace(b"chunked", b"gzip"),
        CHUNKED + b"more",
        CHUNKED[:-7],
    ],
    ids=[
        *("nothing", "cut short", "cut in the head", "no HTTP", "an endless line", "no status", "no length"),
        *("a negative length", "no header", "a space before the colon", "two answers", "no size", "a negative size"),
        *("a chunk that is too long", "an unknown encoding", "more than the chunks", "cut in the chunks"),
    ],
)
def test_broken_answer_is_none(answer: bytes) -> None:
    """And the connection it came on isn't kept."""
    turns = count()

    def serve(connection: socket.socket) -> None:
        once(answer if next(turns) == 0 else OK)(connection)

    with served(serve) as (_, connections):
        with pytest.raises(NoResponse):
            connections.send(REQUEST)
        assert connections.send(REQUEST).body == b"hi"


def test_silence_is_no_answer_in_time() -> None:
    """A late answer is never taken for that of the next request."""
    asked, late = threading.Event(), threading.Event()
    turns = count()

    def serve(connection: socket.socket) -> None:
        if next(turns) == 0:
            asked.set()
            request_of(connection)
            late.wait(60)
            connection.sendall(OK.replace(b"hi", b"no"))
            return
        always(OK)(connection)

    with served(serve, read_timeout_s=0.2) as (_, connections):
        with pytest.raises(NoResponse, match="Timeout"):
            connections.send(REQUEST)
        assert asked.wait(30)
        connections._read_timeout_s = 30
        late.set()
        assert connections.send(REQUEST).body == b"hi"


def test_nobody_there_is_no_answer() -> None:
    """A port at which nobody listens, and a name that nobody has."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        for host in (f"127.0.0.1:{taken.getsockname()[1]}", "nobody.invalid"):
            with pytest.raises(NoResponse, match="no connection"):
                Connections(f"http://{host}", connect_timeout_s=1, read_timeout_s=1).send(REQUEST)


def test_threads_never_share_a_connection() -> None:
    """Each gets the answer to what it asked, and connections are made for as many as ask at once."""

    def serve(connection: socket.socket) -> None:
        reader = connection.makefile("rb")
        while number := reader.readline():
            reader.readline()
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(number), number))

    with served(serve) as (server, connections), ThreadPoolExecutor(8) as threads:
        asked = [b"%d\n" % number for number in range(400)]
        answers = threads.map(lambda number: connections.send(number + b"\n").body, asked)
        assert list(answers) == asked
        assert server.accepted <= 8


def test_idle_connections_are_bounded() -> None:
    """What a moment of many threads needed isn't kept for ever."""
    ready = threading.Barrier(IDLE_MAX + 10)

    def serve(connection: socket.socket) -> None:
        while request_of(connection):
            if not ready.broken:
                ready.wait(60)
            connection.sendall(OK)

    with served(serve) as (_, connections), ThreadPoolExecutor(IDLE_MAX + 10) as threads:
        list(threads.map(lambda _: connections.send(REQUEST), range(IDLE_MAX + 10)))
        assert len(connections._idle) == IDLE_MAX


def certified(authority: trustme.CA, name: str) -> ssl.SSLContext:
    """Return what a server of that name shows."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    return context


def test_certificate_is_verified() -> None:
    """By an authority of one's own choice; not by another's, nor for another name."""
    authority = trustme.CA()
    with authority.cert_pem.tempfile() as bundle:
        with served(always(OK), certified(authority, "localhost"), ca_bundle=bundle) as (server, connections):
            assert [connections.send(REQUEST).body for _ in range(3)] == [b"hi"] * 3
            assert server.accepted == 1
        with (
            served(always(OK), certified(authority, "elsewhere.example"), ca_bundle=bundle) as (_, connections),
            pytest.raises(NoResponse, match="SSLCertVerificationError"),
        ):
            connections.send(REQUEST)
    with (
        served(always(OK), certified(authority, "localhost")) as (_, connections),
        pytest.raises(NoResponse, match="SSLCertVerificationError"),
    ):
        connections.send(REQUEST)


def test_connections_that_went_to_sleep_together_cost_one_try() -> None:
    """After a thaw each idle connection is gone: the first that fails unsaid takes the others with it."""
    gone = threading.Event()

    def serve(connection: socket.socket) -> None:
        while request_of(connection):
            if gone.is_set() and server.accepted <= 3:
                return
            ready.wait(60)
            connection.sendall(OK)

    ready = threading.Barrier(3)
    with served(serve) as (server, connections), ThreadPoolExecutor(3) as threads:
        list(threads.map(lambda _: connections.send(REQUEST), range(3)))
        gone.set()
        ready = threading.Barrier(1)
        with pytest.raises(NoResponse):
            connections.send(REQUEST)
        assert connections.send(REQUEST).body == b"hi"
        assert (server.accepted, len(connections._idle)) == (4, 1)


def test_connection_that_was_idle_for_long_is_not_used_again() -> None:
    """What stands between forgets it, and says so to nobody."""
    now_ms = 1_000_000
    with clock.driven_by(lambda: now_ms), served(always(OK)) as (server, connections):
        for pause_ms, accepted in ((0, 1), (IDLE_FOR_MS - 1, 1), (IDLE_FOR_MS, 2), (-1, 3)):
            now_ms += pause_ms
            connections.send(REQUEST)
            assert server.accepted == accepted


def test_answer_in_pieces_leaves_the_next_its_whole_time() -> None:
    """What was left for the end of one answer isn't what the next has."""

    def serve(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while request_of(connection):
            for byte in OK:
                connection.sendall(bytes([byte]))

    with served(serve, read_timeout_s=30) as (_, connections):
        connections.send(REQUEST)
        assert [connection.gettimeout() for connection, _ in connections._idle] == [30]


def test_answer_that_drips_is_none_in_time() -> None:
    """One deadline for the whole answer, however its bytes are spread."""
    done = threading.Event()

    def serve(connection: socket.socket) -> None:
        request_of(connection)
        while not done.wait(0.01):
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n"[:1])

    with served(serve, read_timeout_s=0.2) as (_, connections):
        with pytest.raises(NoResponse, match="Timeout"):
            connections.send(REQUEST)
        done.set()


def test_handshake_that_says_nothing_ends_with_the_time_for_connecting() -> None:
    """TLS included."""

    def serve(connection: socket.socket) -> None:
        connection.recv(99_999)
        connection.recv(1)

    with served(serve) as (server, _):
        connections = Connections(f"https://localhost:{server.port}", connect_timeout_s=0.2, read_timeout_s=30)
        with pytest.raises(NoResponse, match="no connection"):
            connections.send(REQUEST)
