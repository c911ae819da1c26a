"""A stand-in for Amazon SES on a socket: it takes every letter and keeps who it was for."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FakeSes(ThreadingHTTPServer):
    """It answers as SES does. `recipients` holds the recipients in the order of arrival."""

    daemon_threads = True

    def __init__(self) -> None:
        """Listen on a free port of loopback."""
        super().__init__(("127.0.0.1", 0), _Counter)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.recipients: list[str] = []


class _Counter(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: FakeSes

    def do_POST(self) -> None:
        letter = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.recipients += letter["Destination"]["ToAddresses"]
        answer = b'{"MessageId": "1"}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def run_fake_ses() -> Iterator[FakeSes]:
    """Take letters for the length of a `with` block."""
    with FakeSes() as office:
        threading.Thread(target=office.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield office
        finally:
            office.shutdown()
