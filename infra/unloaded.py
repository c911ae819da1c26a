"""What a local run answers while its code doesn't load: a 503 that says where to look, instead of nothing."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MESSAGE = "The code doesn't load. The terminal of `make run` shows why; the next change of it is tried at once."
PAGE = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>The code doesn't load</title></head>
<body><h1>The code doesn't load</h1><p>{MESSAGE.partition(". ")[2]}</p></body></html>
"""
LOOKS_FOR_AN_END_EVERY_S = 0.1
READ_MAX_BYTES = 10 * 1024 * 1024
"""So much of a body is read and thrown away: who is hung up on while sending never sees the answer."""


@contextmanager
def answered(listener: socket.socket) -> Iterator[None]:
    """Answer whatever comes to a socket that listens already, for the length of a `with` block."""
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
        """A client that hangs up is no news, and what the terminal shows now is the fault of the code."""


class _Handler(BaseHTTPRequestHandler):
    server_version, sys_version = "Latchkey-local", ""
    timeout = 5

    def __getattr__(self, name: str) -> Any:
        """Answer every method alike."""
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
        """Leave the base class's line out: the terminal shows what is wrong with the code."""
