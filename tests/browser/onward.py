"""A client's callback that redirects across several origins."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler

from tests.support.threaded_server import ThreadedServer

HOSTS = ("127.0.0.1", "localhost", "127.0.0.1")
"""The host of each origin in the chain: `localhost` and `127.0.0.1` are different sites, not only different origins."""


class _Handler(BaseHTTPRequestHandler):
    server: "Hop"

    def do_GET(self) -> None:
        page = b"" if self.server.onward else b"<!doctype html><title>Arrived</title>"
        self.send_response(302 if self.server.onward else 200)
        if self.server.onward:
            _, _, query = self.path.partition("?")
            self.send_header("Location", f"{self.server.onward}?{query}")
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


class Hop(ThreadedServer):
    """An origin that redirects to `onward`, or serves a page if `onward` is empty."""

    def __init__(self, host: str, onward: str) -> None:
        """Listen on a free port of the loopback interface."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.onward = onward
        self.origin = f"http://{host}:{self.server_port}"
        self.url = f"{self.origin}/back"


@contextmanager
def serve_chain() -> Iterator[list[Hop]]:
    """Serve a chain of redirecting origins within a `with` block."""
    with ExitStack() as until_done:
        hops: list[Hop] = []
        for host in reversed(HOSTS):
            hop = until_done.enter_context(Hop(host, hops[0].url if hops else ""))
            threading.Thread(target=hop.serve_forever, args=(0.05,), daemon=True).start()
            until_done.callback(hop.shutdown)
            hops.insert(0, hop)
        yield hops
