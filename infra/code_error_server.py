"""Respond to requests with a 503 that refers to the terminal, while a local run can't load its code."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MESSAGE = "The code doesn't load. The terminal of `make run` shows why; it is reloaded after the next change."
PAGE = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>The code doesn't load</title></head>
<body><h1>The code doesn't load</h1><p>{MESSAGE.partition(". ")[2]}</p></body></html>
"""
LOOKS_FOR_AN_END_EVERY_S = 0.1
READ_MAX_BYTES = 10 * 1024 * 1024
"""The maximum number of body bytes to read and discard.

If the server closed the connection before reading the body, the client could get a reset instead of the 503.
"""


@contextmanager
def respond(listener: socket.socket) -> Iterator[None]:
    """Respond to all requests on a listening socket during a `with` block."""
    server = _Server(listener)
    thread = threading.Thread(target=server.serve_forever, args=(LOOKS_FOR_AN_END_EVERY_S,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, listener: socket.socket) -> None:
        super().__init__(listener.getsockname()[:2], _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing, so that the terminal keeps showing why the code doesn't load."""


class _Handler(BaseHTTPRequestHandler):
    server_version, sys_version = "Latchkey-local", ""
    timeout = 5

    def __getattr__(self, name: str) -> Any:
        """Respond to every HTTP method in the same way."""
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def _answer(self) -> None:
        length = self.headers.get("Content-Length", "")
        self.rfile.read(min(int(length), READ_MAX_BYTES) if length.isascii() and length.isdigit() else 0)
        is_page = "text/html" in self.headers.get("Accept", "")
        kind = "text/html; charset=utf-8" if is_page else "application/json"
        body = (PAGE if is_page else json.dumps({"error": "unavailable", "message": MESSAGE})).encode()
        self.send_response(503)
        for name, value in (("Content-Type", kind), ("Content-Length", str(len(body))), ("Retry-After", "1")):
            self.send_header(name, value)
        for name, value in (("Cache-Control", "no-store"), ("Connection", "close")):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class named it
        """Print nothing, so that the terminal keeps showing why the code doesn't load."""
