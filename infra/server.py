"""An HTTP/1.1 server for the local gateway, with keep-alive, one write per response, and TCP_NODELAY."""

import socket
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from chalice.app import Chalice

from chalicelib.core import clock, http_framing, http_syntax
from infra.local_gateway.gateway import Gateway
from infra.local_gateway.proxy_event import BODY_MAX_BYTES, TOO_LONG
from infra.local_gateway.response import Response

PIECE_BYTES = 65_536
READ_MAX_BYTES = 100 * 1024 * 1024
"""The maximum number of body bytes to read and discard.

If the server closed the connection before reading the body, the client could get a reset instead of the 413.
"""


class Handler(BaseHTTPRequestHandler):
    """The handler of one connection: it passes each request to the gateway, and sends the response with one write."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "Latchkey-local", ""
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 75
    server: "Server"

    def _respond(self) -> None:
        started_ns = clock.elapsed_ns()
        response = self._get_response()
        self._send(response)
        self.server.report(self.command, self.path.partition("?")[0], response.status, clock.elapsed_ns() - started_ns)

    def _get_response(self) -> Response:
        gateway = self.server.gateway
        try:
            body = self._body()
        except ValueError:
            self.close_connection = True
            return gateway.reject(400, "Bad Request")
        if body is None:
            self.close_connection = True
            return gateway.reject(413, TOO_LONG)
        return gateway.handle(self.command, self.path, self.headers.items(), body, ip=self.client_address[0])

    def __getattr__(self, name: str) -> Any:
        """Accept every HTTP method, since the gateway responds to unknown methods."""
        if name.startswith("do_"):
            return self._respond
        raise AttributeError(name)

    def _body(self) -> bytes | None:
        """Return the body, None if it is too long. Raises ValueError if its length is ambiguous (RFC 9112 §6.3)."""
        kept: list[bytes] = []
        length = 0
        for piece in self._pieces():
            length += len(piece)
            if length <= BODY_MAX_BYTES:
                kept.append(piece)
            elif length > READ_MAX_BYTES:
                break
        return b"".join(kept) if length <= BODY_MAX_BYTES else None

    def _pieces(self) -> Iterator[bytes]:
        lengths, codings = self.headers.get_all("Content-Length", []), self.headers.get_all("Transfer-Encoding", [])
        if not codings:
            yield from self._read(_parse_length(lengths or ["0"]))
            return
        if lengths or [coding.lower() for coding in codings] != ["chunked"]:
            raise ValueError("both Content-Length and Transfer-Encoding")
        while size := http_framing.chunk_size(self._line(http_framing.CHUNK_LINE_MAX)):
            yield from self._read(size)
            if self._line(2):
                raise ValueError("a chunk without CRLF")
        for _ in range(http_framing.FIELDS_MAX):
            if not self._line(PIECE_BYTES):
                return
        raise ValueError("too many trailers")

    def _line(self, most: int) -> bytes:
        line = self.rfile.readline(most + 2)
        if not line.endswith(b"\r\n"):
            raise ValueError("a line without CRLF")
        return line[:-2]

    def _read(self, length: int) -> Iterator[bytes]:
        while length and (piece := self.rfile.read(min(length, PIECE_BYTES))):
            length -= len(piece)
            yield piece

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        for name, value in response.headers:
            self.send_header(name, value)
        if response.status not in (204, 304) and response.header("Content-Length") is None:
            self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        self.wfile.write(response.body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class named it
        """Print nothing, since the base class's log line would contain the query."""


def _parse_length(lengths: list[str]) -> int:
    """Return the Content-Length. Raises ValueError unless it is one number in ASCII digits (RFC 9112 §6.3)."""
    length = http_syntax.parse_integer(http_syntax.trim(lengths[0])) if len(set(lengths)) == 1 else None
    if length is None:
        raise ValueError("not a Content-Length")
    return length


class Server(ThreadingHTTPServer):
    """The local server, with the interface that Chalice's command line expects."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, app: Chalice, host: str, port: int, *, listener: socket.socket | None = None) -> None:
        """Listen on `host` and `port`, or use a socket that is listening already."""
        super().__init__((host, port), Handler, bind_and_activate=listener is None)
        if listener is not None:
            self.socket.close()
            self.socket, self.server_address = listener, listener.getsockname()[:2]
            self.server_name, self.server_port = host, port
        self.gateway = Gateway(app, domain=f"{host}:{self.server_port}")

    def serve_forever(self, poll_interval: float = 0.2) -> None:
        """Serve requests until `shutdown` is called."""
        host, port = self.server_address[:2]
        print(f"Serving on http://{host!s}:{port}", flush=True)
        super().serve_forever(poll_interval)

    def report(self, method: str, path: str, status: int, took_ns: int) -> None:
        """Print a line for a request, without the query, which may contain an authorization code."""
        print(f"{method} {path} {status} {took_ns / 1e6:.1f} ms", flush=True)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print the traceback of an error, unless the client has closed the connection."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)
