"""Kept-alive connections to one server, for any number of threads: a request goes out whole, its answer is read whole.

The request is one write, so neither Nagle's algorithm nor a second packet delays it. The answer is read by `answering`.
A connection that the other side has closed while it was idle is found out before it is used.
"""

import select
import socket
from collections import deque
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from chalicelib.core import answering
from chalicelib.core.answering import Answer

if TYPE_CHECKING:
    import ssl

IDLE_MAX = 50


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
        self._idle: deque[socket.socket] = deque()

    def send(self, request: bytes) -> Answer:
        """Send one whole HTTP/1.1 request and return its answer; raise NoAnswer when there is none in time."""
        # OSError: refused, reset, timed out, not to be verified; ValueError: an answer that is no HTTP.
        try:
            connection = self._taken() or self._made()
        except OSError as error:
            raise NoAnswer(f"no connection: {type(error).__name__}") from error
        try:
            connection.sendall(request)
            answer = answering.read(connection)
        except (OSError, ValueError) as error:
            connection.close()
            raise NoAnswer(f"no answer: {type(error).__name__}") from error
        except BaseException:
            # Half an answer may still be on its way: nobody else may read it.
            connection.close()
            raise
        if answer.stays and len(self._idle) < IDLE_MAX:
            self._idle.append(connection)
        else:
            connection.close()
        return answer

    def close(self) -> None:
        """Close what is idle."""
        while self._idle:
            self._idle.pop().close()

    def _taken(self) -> socket.socket | None:
        """Return the connection that was used last, if it still stands."""
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return None
            if not _has_something_to_say(connection):
                return connection
            connection.close()

    def _made(self) -> socket.socket:
        connection = socket.create_connection(self._address, self._connect_timeout_s)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._encrypted:
                connection = self._verifier.wrap_socket(connection, server_hostname=self._address[0])
            connection.settimeout(self._read_timeout_s)
        except BaseException:
            connection.close()
            raise
        return connection

    @cached_property
    def _verifier(self) -> "ssl.SSLContext":
        import ssl

        return ssl.create_default_context(cafile=self._ca_bundle or None)


def _has_something_to_say(connection: socket.socket) -> bool:
    """An idle server says nothing, unless it has hung up."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))
