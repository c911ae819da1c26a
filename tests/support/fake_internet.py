"""A small internet: names and public addresses that lead to TLS servers on this machine, and nowhere else.

Only where the operating system would go out is something else put: which address was asked for stays to be seen.
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
"""What a server does with a connection on which a request has come in."""

NAME = "client.example"
ADDRESS = "93.184.215.14"


@dataclass
class Internet:
    """What is reachable, and what was asked for."""

    patch: pytest.MonkeyPatch
    authority: trustme.CA
    ports: dict[tuple[str, int], int] = field(default_factory=dict)
    """Which port of this machine stands for a public address and port."""
    connected: list[tuple[str, int]] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)
    servers: list["Server"] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Take the way out: an address that isn't here can't be reached."""
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
        """Return what trusts this internet's certificates, as a browser would."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.authority.configure_trust(context)
        return context

    def serve(self, talk: Conversation, *, address: str = ADDRESS, port: int = 443, name: str = NAME) -> None:
        """Put a server at an address; its certificate is for `name`."""
        server = Server(talk, self._context(name), self.requests)
        self.servers.append(server)
        self.ports[address, port] = server.port

    def respond(self, body: bytes, *, status: str = "200 OK", headers: str = "", **place: Any) -> None:
        """Put a server at an address that answers every request alike."""
        length = f"Content-Length: {len(body)}\r\n"
        self.serve(lambda talk: talk.sendall(f"HTTP/1.1 {status}\r\n{length}{headers}\r\n".encode() + body), **place)

    def serve_silence(self) -> None:
        """Put something at the address that takes connections and never speaks, not even TLS."""
        server = Server(stay_silent, None, self.requests)
        self.servers.append(server)
        self.ports[ADDRESS, 443] = server.port

    def close(self) -> None:
        """Take the servers down."""
        for server in self.servers:
            server.close()

    def _context(self, name: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(name).configure_cert(context)
        return context


class Server:
    """One listening port, and a thread that serves one connection after the other."""

    def __init__(self, talk: Conversation, context: ssl.SSLContext | None, requests: list[bytes]) -> None:
        """Begin to listen; without a `context` connections are taken and left alone."""
        self._talk, self._context, self._requests = talk, context, requests
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening, and hang up."""
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
        # A client that doesn't like the certificate hangs up in the middle of this.
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
    """Return a server that sends `head`, and then a drop every few milliseconds for as long as anybody listens.

    `dripped` is what it has sent of drops so far.
    """
    pause = threading.Event()

    def talk(connection: ssl.SSLSocket) -> None:
        connection.sendall(head)
        while not pause.wait(0.01):
            dripped.append(drop)
            connection.sendall(drop)

    return talk


def stay_silent(connection: ssl.SSLSocket) -> None:
    """Say nothing until whoever asked hangs up."""
    connection.recv(1)


@contextmanager
def replace_internet() -> Iterator[Internet]:
    """Return an empty internet, in place of the real one."""
    with pytest.MonkeyPatch.context() as patch:
        internet = Internet(patch, _authority())
        yield internet
        internet.close()


@lru_cache(maxsize=1)
def _authority() -> trustme.CA:
    return trustme.CA()
