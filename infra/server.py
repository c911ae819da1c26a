"""HTTP/1.1 on a socket before the stand-in gateway: keep-alive, one write an answer, no Nagle."""

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
"""So much of a body that is too long is read and thrown away: who is hung up on while sending never sees the answer."""


class Handler(BaseHTTPRequestHandler):
    """One connection. Reads a request, asks the gateway, writes the answer with one send."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "Latchkey-local", ""
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 75
    server: "Server"

    def _answer(self) -> None:
        started_ns = clock.elapsed_ns()
        answer = self._answer_of_the_gateway()
        self._send(answer)
        self.server.report(self.command, self.path.partition("?")[0], answer.status, clock.elapsed_ns() - started_ns)

    def _answer_of_the_gateway(self) -> Response:
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
        """Answer whatever method is asked with: one that no route has is the gateway's to refuse."""
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def _body(self) -> bytes | None:
        """Return the body, None when it is too long. Raises ValueError when nobody can say how long it is."""
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
            yield from self._read(_stated(lengths or ["0"]))
            return
        if lengths or [coding.lower() for coding in codings] != ["chunked"]:
            raise ValueError("two ends")
        while size := http_framing.chunk_size(self._line(http_framing.CHUNK_LINE_MAX)):
            yield from self._read(size)
            if self._line(2):
                raise ValueError("a chunk without an end")
        for _ in range(http_framing.FIELDS_MAX):
            if not self._line(PIECE_BYTES):
                return
        raise ValueError("too many trailers")

    def _line(self, most: int) -> bytes:
        line = self.rfile.readline(most + 2)
        if not line.endswith(b"\r\n"):
            raise ValueError("not a line")
        return line[:-2]

    def _read(self, length: int) -> Iterator[bytes]:
        while length and (piece := self.rfile.read(min(length, PIECE_BYTES))):
            length -= len(piece)
            yield piece

    def _send(self, answer: Response) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        if answer.status not in (204, 304) and answer.header("Content-Length") is None:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class named it
        """Leave the base class's line out: it would show queries."""


def _stated(lengths: list[str]) -> int:
    """Return the one length that is stated, in ASCII digits only (RFC 9112 §6.3)."""
    length = http_syntax.whole(http_syntax.trimmed(lengths[0])) if len(set(lengths)) == 1 else None
    if length is None:
        raise ValueError("not a length")
    return length


class Server(ThreadingHTTPServer):
    """The local server. It has the two methods that Chalice's command line asks for."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, app: Chalice, host: str, port: int, *, listener: socket.socket | None = None) -> None:
        """Listen on `host` and `port`, or serve a socket that listens already."""
        super().__init__((host, port), Handler, bind_and_activate=listener is None)
        if listener is not None:
            self.socket.close()
            self.socket, self.server_address = listener, listener.getsockname()[:2]
            self.server_name, self.server_port = host, port
        self.gateway = Gateway(app, domain=f"{host}:{self.server_port}")

    def serve_forever(self, poll_interval: float = 0.2) -> None:
        """Serve until shut down."""
        host, port = self.server_address[:2]
        print(f"Serving on http://{host!s}:{port}", flush=True)
        super().serve_forever(poll_interval)

    def report(self, method: str, path: str, status: int, took_ns: int) -> None:
        """Print one line for a person who watches; the query, which may hold a code, stays out."""
        print(f"{method} {path} {status} {took_ns / 1e6:.1f} ms", flush=True)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news; anything else is."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)
