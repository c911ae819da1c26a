"""A fake Amazon SES on a socket: it accepts every email and records its recipients."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FakeSes(ThreadingHTTPServer):
    """A fake SES. `recipients` lists the recipients in order of arrival."""

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
        email = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.recipients += email["Destination"]["ToAddresses"]
        response = b'{"MessageId": "1"}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(response)))
        self.end_headers()
        self.wfile.write(response)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def run_fake_ses() -> Iterator[FakeSes]:
    """Run a fake SES for the duration of a `with` block."""
    with FakeSes() as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()
