"""The connection pool: connections are reused while open, detected when closed, and never shared by two requests."""

import socket
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest
import trustme

from chalicelib.core import clock
from chalicelib.core.dynamodb.connection_pool import IDLE_FOR_MS, IDLE_MAX, ConnectionPool, NoResponse
from tests.core.tcp_server import read_request, respond_always, respond_once, start_server

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Kind: Plain\r\n\r\nhi"
CLOSING = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n1\r\ni\r\n0\r\n\r\n"
TRAILING = CHUNKED[:-2] + b"X-Sum: 1\r\n\r\n"
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n"
REQUEST = b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    "response", [OK, CHUNKED, TRAILING, INTERIM + OK], ids=["length", "chunks", "trailer", "interim"]
)
def test_connection_is_reused(response: bytes) -> None:
    """A connection is reused after a response, whether the response has a length, chunks, trailers or an interim
    response.
    """
    with start_server(respond_always(response)) as (server, connections):
        assert [connections.send(REQUEST).body for _ in range(5)] == [b"hi"] * 5
        assert server.accepted == 1


def test_response_may_arrive_in_any_pieces() -> None:
    """A response is read correctly, however the network splits it."""
    for response in (OK, TRAILING):

        def serve(connection: socket.socket, response: bytes = response) -> None:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while read_request(connection):
                for byte in response:
                    connection.sendall(bytes([byte]))

        with start_server(serve) as (server, connections):
            assert [connections.send(REQUEST).body for _ in range(3)] == [b"hi"] * 3
            assert server.accepted == 1


def test_http10_server_closes_after_each_response() -> None:
    """A connection to an HTTP/1.0 server is closed after each response that doesn't have `Connection: keep-alive`."""
    with start_server(respond_always(OK.replace(b"1.1", b"1.0"))) as (server, connections):
        assert [connections.send(REQUEST).body for _ in range(2)] == [b"hi"] * 2
        assert server.accepted == 2


def test_header_names_are_in_lower_case() -> None:
    """Header names are converted to lower case, because servers spell them differently."""
    with start_server(respond_always(OK)) as (_, connections):
        assert connections.send(REQUEST).headers["x-kind"] == "Plain"


def test_connection_that_the_server_closes_is_not_reused() -> None:
    """After a response with `Connection: close` the connection is not reused."""
    with start_server(respond_once(CLOSING)) as (server, connections):
        assert [connections.send(REQUEST).body for _ in range(3)] == [b"hi"] * 3
        assert server.accepted == 3


def test_connection_closed_while_idle_is_detected() -> None:
    """If the server closed an idle connection, the next request uses a new connection and succeeds."""
    closed = threading.Event()

    def serve(connection: socket.socket) -> None:
        respond_once(OK)(connection)
        connection.close()
        closed.set()

    with start_server(serve) as (server, connections):
        for _ in range(3):
            assert connections.send(REQUEST).body == b"hi"
            assert closed.wait(30)
            closed.clear()
        assert server.accepted == 3


def test_half_closed_connection_is_detected() -> None:
    """A connection whose server has stopped sending is not reused."""
    shut = threading.Event()

    def serve(connection: socket.socket) -> None:
        respond_once(OK)(connection)
        connection.shutdown(socket.SHUT_WR)
        shut.set()
        connection.recv(1)

    with start_server(serve) as (server, connections):
        assert connections.send(REQUEST).body == b"hi"
        assert shut.wait(30)
        assert connections.send(REQUEST).body == b"hi"
        assert server.accepted == 2


@pytest.mark.parametrize(
    "response",
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
def test_malformed_response_raises_no_response(response: bytes) -> None:
    """A malformed response raises NoResponse and closes its connection."""
    turns = count()

    def serve(connection: socket.socket) -> None:
        respond_once(response if next(turns) == 0 else OK)(connection)

    with start_server(serve) as (_, connections):
        with pytest.raises(NoResponse):
            connections.send(REQUEST)
        assert connections.send(REQUEST).body == b"hi"


def test_silent_server_raises_no_response_in_time() -> None:
    """A server that doesn't respond in time raises NoResponse; its late response is not read for the next request."""
    requests, late = threading.Event(), threading.Event()
    turns = count()

    def serve(connection: socket.socket) -> None:
        if next(turns) == 0:
            requests.set()
            read_request(connection)
            late.wait(60)
            connection.sendall(OK.replace(b"hi", b"no"))
            return
        respond_always(OK)(connection)

    with start_server(serve, read_timeout_s=0.2) as (_, connections):
        with pytest.raises(NoResponse, match="Timeout"):
            connections.send(REQUEST)
        assert requests.wait(30)
        connections._read_timeout_s = 30
        late.set()
        assert connections.send(REQUEST).body == b"hi"


def test_unreachable_server_raises_no_response() -> None:
    """A closed port or an unknown host name raises NoResponse."""
    with socket.socket() as occupied:
        occupied.bind(("127.0.0.1", 0))
        for host in (f"127.0.0.1:{occupied.getsockname()[1]}", "unknown.invalid"):
            with pytest.raises(NoResponse, match="no connection"):
                ConnectionPool(f"http://{host}", connect_timeout_s=1, read_timeout_s=1).send(REQUEST)


def test_threads_never_share_a_connection() -> None:
    """Concurrent requests use separate connections, and each gets its own response."""

    def serve(connection: socket.socket) -> None:
        reader = connection.makefile("rb")
        while number := reader.readline():
            reader.readline()
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(number), number))

    with start_server(serve) as (server, connections), ThreadPoolExecutor(8) as threads:
        requests = [b"%d\n" % number for number in range(400)]
        answers = threads.map(lambda number: connections.send(number + b"\n").body, requests)
        assert list(answers) == requests
        assert server.accepted <= 8


def test_number_of_idle_connections_is_bounded() -> None:
    """The number of idle connections is limited, so not all connections of a short burst are kept."""
    ready = threading.Barrier(IDLE_MAX + 10)

    def serve(connection: socket.socket) -> None:
        while read_request(connection):
            if not ready.broken:
                ready.wait(60)
            connection.sendall(OK)

    with start_server(serve) as (_, connections), ThreadPoolExecutor(IDLE_MAX + 10) as threads:
        list(threads.map(lambda _: connections.send(REQUEST), range(IDLE_MAX + 10)))
        assert len(connections._idle) == IDLE_MAX


def make_tls_context(authority: trustme.CA, name: str) -> ssl.SSLContext:
    """Return a TLS context with a certificate for that name."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    return context


def test_certificate_is_verified() -> None:
    """A certificate is accepted only from the configured authority and for its own name."""
    authority = trustme.CA()
    with authority.cert_pem.tempfile() as bundle:
        with start_server(respond_always(OK), make_tls_context(authority, "localhost"), ca_bundle=bundle) as (
            server,
            connections,
        ):
            assert [connections.send(REQUEST).body for _ in range(3)] == [b"hi"] * 3
            assert server.accepted == 1
        with (
            start_server(respond_always(OK), make_tls_context(authority, "elsewhere.example"), ca_bundle=bundle) as (
                _,
                connections,
            ),
            pytest.raises(NoResponse, match="SSLCertVerificationError"),
        ):
            connections.send(REQUEST)
    with (
        start_server(respond_always(OK), make_tls_context(authority, "localhost")) as (_, connections),
        pytest.raises(NoResponse, match="SSLCertVerificationError"),
    ):
        connections.send(REQUEST)


def test_one_failed_connection_closes_all_idle_ones() -> None:
    """A failure closes all idle connections, because after a freeze of the process all of them are broken."""
    frozen = threading.Event()

    def serve(connection: socket.socket) -> None:
        while read_request(connection):
            if frozen.is_set() and server.accepted <= 3:
                return
            ready.wait(60)
            connection.sendall(OK)

    ready = threading.Barrier(3)
    with start_server(serve) as (server, connections), ThreadPoolExecutor(3) as threads:
        list(threads.map(lambda _: connections.send(REQUEST), range(3)))
        frozen.set()
        ready = threading.Barrier(1)
        with pytest.raises(NoResponse):
            connections.send(REQUEST)
        assert connections.send(REQUEST).body == b"hi"
        assert (server.accepted, len(connections._idle)) == (4, 1)


def test_connection_idle_for_long_is_not_reused() -> None:
    """A connection that was idle for long is not reused, because middleboxes drop it silently."""
    now_ms = 1_000_000
    with clock.use_wall_clock(lambda: now_ms), start_server(respond_always(OK)) as (server, connections):
        for pause_ms, accepted in ((0, 1), (IDLE_FOR_MS - 1, 1), (IDLE_FOR_MS, 2), (-1, 3)):
            now_ms += pause_ms
            connections.send(REQUEST)
            assert server.accepted == accepted


def test_response_in_pieces_leaves_the_next_its_full_timeout() -> None:
    """A response in several pieces doesn't reduce the timeout of the next response."""

    def serve(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while read_request(connection):
            for byte in OK:
                connection.sendall(bytes([byte]))

    with start_server(serve, read_timeout_s=30) as (_, connections):
        connections.send(REQUEST)
        assert [connection.gettimeout() for connection, _ in connections._idle] == [30]


def test_slow_response_ends_at_the_deadline() -> None:
    """One deadline covers the whole response, regardless of the times between its bytes."""
    done = threading.Event()

    def serve(connection: socket.socket) -> None:
        read_request(connection)
        while not done.wait(0.01):
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n"[:1])

    with start_server(serve, read_timeout_s=0.2) as (_, connections):
        with pytest.raises(NoResponse, match="Timeout"):
            connections.send(REQUEST)
        done.set()


def test_silent_handshake_ends_at_the_connect_timeout() -> None:
    """The connect timeout includes the TLS handshake."""

    def serve(connection: socket.socket) -> None:
        connection.recv(99_999)
        connection.recv(1)

    with start_server(serve) as (server, _):
        connections = ConnectionPool(f"https://localhost:{server.port}", connect_timeout_s=0.2, read_timeout_s=30)
        with pytest.raises(NoResponse, match="no connection"):
            connections.send(REQUEST)
