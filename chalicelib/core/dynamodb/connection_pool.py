"""Kept-alive connections to one server, for any number of threads: a request goes out whole, its answer is read whole.

The request is one write, so neither Nagle's algorithm nor a second packet delays it. The answer is read by `answering`.
A connection that the other side has closed while it was idle is found out before it is used. Of a function that was
frozen nobody hears that its connections are gone: where one fails that was used before, all idle ones are closed.
"""

import select
import socket
from collections import deque
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from chalicelib.core import clock
from chalicelib.core.dynamodb import http_response
from chalicelib.core.dynamodb.http_response import Answer

if TYPE_CHECKING:
    import ssl

IDLE_MAX = 50
IDLE_FOR_MS = 20_000
"""One that was idle for longer isn't used again: servers, and what stands between, forget connections unsaid."""


class NoAnswer(Exception):
    """The connection failed before the whole answer was here; the request may or may not have been carried out."""


class Connections:
    """The connections to one server."""

    def __init__(self, url: str, *, connect_timeout_s: float, read_timeout_s: float, ca_bundle: str = "") -> None:
        """Prepare for the server of `url`; connect when something is sent.

        Its certificate must be good by the authorities of the file `ca_bundle`, or by the system's.
        """
        parts = urlsplit(url)
        self._encrypted = parts.scheme == "https"
        self._address = parts.hostname or "", parts.port or (443 if self._encrypted else 80)
        self._connect_timeout_s, self._read_timeout_s = connect_timeout_s, read_timeout_s
        self._ca_bundle = ca_bundle
        self._idle: deque[tuple[socket.socket, int]] = deque()
        """Connections, and since which millisecond each is idle."""

    def send(self, request: bytes) -> Answer:
        """Send one whole HTTP/1.1 request and return its answer; raise NoAnswer when there is none in time.

        Then nothing is idle any more, so whoever sends it again sends it over a new connection.
        """
        used = self._taken()
        if used is None:
            return self._exchanged(self._made(), request)
        try:
            return self._exchanged(used, request)
        except NoAnswer:
            # Whatever went to sleep with this one is as old. Not sent again here: it may have been carried out, and who
            # asked counts how often it is sent.
            self.close()
            raise

    def close(self) -> None:
        """Close what is idle."""
        while self._idle:
            self._idle.pop()[0].close()

    def _exchanged(self, connection: socket.socket, request: bytes) -> Answer:
        # OSError: reset, timed out; ValueError: an answer that is malformed or cut.
        until_ns = clock.monotonic_ns() + round(self._read_timeout_s * 1e9)
        try:
            connection.sendall(request)
            answer = http_response.read(connection, until_ns)
        except (OSError, ValueError) as error:
            connection.close()
            raise NoAnswer(f"no answer: {type(error).__name__}") from error
        except BaseException:
            # Half an answer may still be on its way: nobody else may read it.
            connection.close()
            raise
        if answer.stays and len(self._idle) < IDLE_MAX:
            if connection.gettimeout() != self._read_timeout_s:
                # What was left for the end of an answer that came in pieces.
                connection.settimeout(self._read_timeout_s)
            self._idle.append((connection, clock.now_ms()))
        else:
            connection.close()
        return answer

    def _taken(self) -> socket.socket | None:
        """Return the connection that was used last, if it still stands."""
        while True:
            try:
                connection, since_ms = self._idle.pop()
            except IndexError:
                return None
            if 0 <= clock.now_ms() - since_ms < IDLE_FOR_MS and not _has_something_to_say(connection):
                return connection
            connection.close()

    def _made(self) -> socket.socket:
        """Return a new connection, TLS included within the one time for connecting."""
        until_ns = clock.monotonic_ns() + round(self._connect_timeout_s * 1e9)
        try:
            connection = self._connected(until_ns)
            try:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._encrypted:
                    connection.settimeout(_left_s(until_ns))
                    connection = self._verifier.wrap_socket(connection, server_hostname=self._address[0])
                connection.settimeout(self._read_timeout_s)
            except BaseException:
                connection.close()
                raise
        except OSError as error:
            # Refused, reset, timed out, not to be verified.
            raise NoAnswer(f"no connection: {type(error).__name__}") from error
        return connection

    def _connected(self, until_ns: int) -> socket.socket:
        """Try one address of the name after another, all within the time for one."""
        host, port = self._address
        failed: OSError | None = None
        for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            try:
                return socket.create_connection((str(found[4][0]), port), _left_s(until_ns))
            except OSError as error:
                failed = error
        raise failed or OSError("no address")

    @cached_property
    def _verifier(self) -> "ssl.SSLContext":
        import ssl

        return ssl.create_default_context(cafile=self._ca_bundle or None)


def _left_s(until_ns: int) -> float:
    left_s = (until_ns - clock.monotonic_ns()) / 1e9
    if left_s <= 0:
        raise TimeoutError("the time for connecting is over")
    return left_s


def _has_something_to_say(connection: socket.socket) -> bool:
    """An idle server says nothing, unless it has hung up."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))
