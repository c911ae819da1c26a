"""A fake internet, in which only chosen public addresses are reachable: each is a TLS server on this machine.

Only `socket.create_connection` is replaced; the replacement records the requested addresses.
"""

import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any
from urllib.parse import urlsplit

import pytest
import trustme

Conversation = Callable[[ssl.SSLSocket], None]
"""A function that handles a connection after its request was received."""

NAME = "client.example"
ADDRESS = "93.184.215.14"


@dataclass
class Internet:
    """The reachable addresses, with the recorded connections and requests."""

    patch: pytest.MonkeyPatch
    authority: trustme.CA
    ports: dict[tuple[str, int], int] = field(default_factory=dict)
    """The local port of each reachable public address and port."""
    connected: list[tuple[str, int]] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)
    servers: list["Server"] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Replace `socket.create_connection`; all addresses are unreachable at first."""
        connect = socket.create_connection

        database = urlsplit(os.environ.get("AWS_ENDPOINT_URL_DYNAMODB", ""))

        def create_connection(address: tuple[str, int], *rest: Any, **named: Any) -> socket.socket:
            if address == (database.hostname, database.port):
                return connect(address, *rest, **named)
            self.connected.append(address)
            if address not in self.ports:
                raise OSError("network is unreachable")
            return connect(("127.0.0.1", self.ports[address]), *rest, **named)

        self.patch.setattr(socket, "create_connection", create_connection)

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """Return a TLS context for clients that trusts the certificate authority of this internet."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.authority.configure_trust(context)
        return context

    def serve(self, talk: Conversation, *, address: str = ADDRESS, port: int = 443, name: str = NAME) -> None:
        """Run a server at an address, with a certificate for `name`."""
        server = Server(talk, self._context(name), self.requests)
        self.servers.append(server)
        self.ports[address, port] = server.port

    def respond(self, body: bytes, *, status: str = "200 OK", headers: str = "", **place: Any) -> None:
        """Run a server at an address that sends the same response to every request."""
        length = f"Content-Length: {len(body)}\r\n"
        self.serve(lambda talk: talk.sendall(f"HTTP/1.1 {status}\r\n{length}{headers}\r\n".encode() + body), **place)

    def serve_silence(self) -> None:
        """Run a server that accepts connections and never sends anything, not even TLS."""
        server = Server(stay_silent, None, self.requests)
        self.servers.append(server)
        self.ports[ADDRESS, 443] = server.port

    def close(self) -> None:
        """Stop the servers."""
        for server in self.servers:
            server.close()

    def _context(self, name: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(name).configure_cert(context)
        return context


class Server:
    """A listening port, and a thread that serves one connection at a time."""

    def __init__(self, talk: Conversation, context: ssl.SSLContext | None, requests: list[bytes]) -> None:
        """Listen for connections; without a `context` they are accepted and ignored."""
        self._talk, self._context, self._requests = talk, context, requests
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening, and close all connections."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self._thread.join(5)

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self._listening.accept()
            except OSError:
                return
            self._open.append(plain)
            if self._context is not None:
                with suppress(OSError):
                    self._answer(plain, self._context)

    def _answer(self, plain: socket.socket, context: ssl.SSLContext) -> None:
        # A client that rejects the certificate closes the connection during the handshake.
        with context.wrap_socket(plain, server_side=True) as talk:
            request = b""
            while b"\r\n\r\n" not in request:
                chunk = talk.recv(65_536)
                if not chunk:
                    return
                request += chunk
            self._requests.append(request)
            self._talk(talk)


def drip(head: bytes, drop: bytes, dripped: list[bytes]) -> Conversation:
    """Return a conversation that sends `head`, then `drop` every few milliseconds until the client disconnects.

    `dripped` collects the drops that were sent.
    """
    pause = threading.Event()

    def talk(connection: ssl.SSLSocket) -> None:
        connection.sendall(head)
        while not pause.wait(0.01):
            dripped.append(drop)
            connection.sendall(drop)

    return talk


def stay_silent(connection: ssl.SSLSocket) -> None:
    """Send nothing until the client closes the connection."""
    connection.recv(1)


@contextmanager
def replace_internet() -> Iterator[Internet]:
    """Replace the internet with an empty one during a `with` block."""
    with pytest.MonkeyPatch.context() as patch:
        internet = Internet(patch, _authority())
        yield internet
        internet.close()


@lru_cache(maxsize=1)
def _authority() -> trustme.CA:
    return trustme.CA()
