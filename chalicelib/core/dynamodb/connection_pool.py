"""A pool of kept-alive connections to one server. Any number of threads can use it.

A request is sent with one write, so that neither Nagle's algorithm nor a second packet delays it; `http_response` reads
the response. A connection that the server closed while it was idle is usually detected before use. After a frozen
function resumes, dead connections can't be detected; therefore, if a reused connection fails, all idle ones are closed.
"""

import select
import socket
from collections import deque
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from chalicelib.core import clock
from chalicelib.core.dynamodb import http_response
from chalicelib.core.dynamodb.http_response import HttpResponse

if TYPE_CHECKING:
    import ssl

IDLE_MAX = 50
IDLE_FOR_MS = 20_000
"""A connection that has been idle for longer than this isn't reused, because servers and middleboxes drop idle
connections silently.
"""


class NoResponse(Exception):
    """The connection failed before the complete response arrived; the request may or may not have been executed."""


class ConnectionPool:
    """The connections to one server."""

    def __init__(self, url: str, *, connect_timeout_s: float, read_timeout_s: float, ca_bundle: str = "") -> None:
        """Create a pool for the server of `url`. A connection is opened only when it is first needed.

        The server's certificate is verified with the authorities in the file `ca_bundle`, or else with those of the
        operating system.
        """
        parts = urlsplit(url)
        self._encrypted = parts.scheme == "https"
        self._address = parts.hostname or "", parts.port or (443 if self._encrypted else 80)
        self._connect_timeout_s, self._read_timeout_s = connect_timeout_s, read_timeout_s
        self._ca_bundle = ca_bundle
        self._idle: deque[tuple[socket.socket, int]] = deque()
        """Idle connections, each with the time (ms) at which it became idle."""

    def send(self, request: bytes) -> HttpResponse:
        """Send one HTTP/1.1 request and return its response.

        Raises NoResponse if no complete response arrives in time. If a reused connection failed, all idle connections
        are closed, so that a retry opens a new one.
        """
        used = self._pop_idle()
        if used is None:
            return self._exchange(self._open(), request)
        try:
            return self._exchange(used, request)
        except NoResponse:
            # The other idle connections may be dead too. The request isn't retried here, because it may have been
            # executed; the caller decides about retries.
            self.close()
            raise

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop()[0].close()

    def _exchange(self, connection: socket.socket, request: bytes) -> HttpResponse:
        # OSError means a reset or a timeout; ValueError means a malformed or truncated response.
        until_ns = clock.monotonic_ns() + round(self._read_timeout_s * 1e9)
        try:
            connection.sendall(request)
            response = http_response.read(connection, until_ns)
        except (OSError, ValueError) as error:
            connection.close()
            raise NoResponse(f"no response: {type(error).__name__}") from error
        except BaseException:
            # The rest of this response may still arrive; it must not be read as the next response.
            connection.close()
            raise
        if response.keep_alive and len(self._idle) < IDLE_MAX:
            if connection.gettimeout() != self._read_timeout_s:
                # Restore the timeout. `http_response` reduced it because the response arrived in several pieces.
                connection.settimeout(self._read_timeout_s)
            self._idle.append((connection, clock.now_ms()))
        else:
            connection.close()
        return response

    def _pop_idle(self) -> socket.socket | None:
        """Remove and return the most recently used idle connection that is still open, or return None."""
        while True:
            try:
                connection, since_ms = self._idle.pop()
            except IndexError:
                return None
            if 0 <= clock.now_ms() - since_ms < IDLE_FOR_MS and not _is_readable(connection):
                return connection
            connection.close()

    def _open(self) -> socket.socket:
        """Open a new connection, including TLS, within the connect timeout."""
        until_ns = clock.monotonic_ns() + round(self._connect_timeout_s * 1e9)
        try:
            connection = self._connect(until_ns)
            try:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._encrypted:
                    connection.settimeout(_left_s(until_ns))
                    connection = self._tls_context.wrap_socket(connection, server_hostname=self._address[0])
                connection.settimeout(self._read_timeout_s)
            except BaseException:
                connection.close()
                raise
        except OSError as error:
            # The connection was rejected or reset, it timed out, or the server's certificate is invalid.
            raise NoResponse(f"no connection: {type(error).__name__}") from error
        return connection

    def _connect(self, until_ns: int) -> socket.socket:
        """Connect to the first address of the host name that accepts a connection. One timeout covers all addresses."""
        host, port = self._address
        failed: OSError | None = None
        for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            try:
                return socket.create_connection((str(found[4][0]), port), _left_s(until_ns))
            except OSError as error:
                failed = error
        raise failed or OSError("no address")

    @cached_property
    def _tls_context(self) -> "ssl.SSLContext":
        import ssl

        return ssl.create_default_context(cafile=self._ca_bundle or None)


def _left_s(until_ns: int) -> float:
    left_s = (until_ns - clock.monotonic_ns()) / 1e9
    if left_s <= 0:
        raise TimeoutError("connect timeout")
    return left_s


def _is_readable(connection: socket.socket) -> bool:
    """Return whether an idle connection has something to read. That means that the server has closed it."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))
