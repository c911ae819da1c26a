"""A TCP server on the loopback interface whose connections are handled by a function."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from chalicelib.core.dynamodb.connection_pool import ConnectionPool

Serve = Callable[[socket.socket], None]


class Server:
    """A TCP server that handles each connection in its own thread, and counts the connections."""

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
def start_server(
    serve: Serve, tls: ssl.SSLContext | None = None, *, read_timeout_s: float = 30, **more: str
) -> Iterator[tuple[Server, ConnectionPool]]:
    """Return a server and a pool of connections to it."""
    server = Server(serve, tls)
    url = f"{'https' if tls else 'http'}://{'localhost' if tls else '127.0.0.1'}:{server.port}"
    connections = ConnectionPool(url, connect_timeout_s=30, read_timeout_s=read_timeout_s, **more)
    try:
        yield server, connections
    finally:
        connections.close()
        server.listening.close()


def read_request(connection: socket.socket) -> bool:
    """Read one request; return whether there was one."""
    received = b""
    while not received.endswith(b"\r\n\r\n"):
        more = connection.recv(4096)
        if not more:
            return False
        received += more
    return True


def respond_always(response: bytes) -> Serve:
    """Respond to every request of a connection."""

    def serve(connection: socket.socket) -> None:
        while read_request(connection):
            connection.sendall(response)

    return serve


def respond_once(response: bytes) -> Serve:
    """Respond to the first request of a connection and close it."""

    def serve(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(response)

    return serve
