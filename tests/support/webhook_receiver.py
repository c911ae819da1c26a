"""A webhook receiver on this machine, which records requests and sends configurable responses."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.support.threaded_server import ThreadedServer

PUBLIC_URL = "http://127.0.0.1:8000"
"""The public URL of a local run; an app with this URL may send to receivers on the same machine."""


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """A request that the receiver got."""

    headers: dict[str, str]
    body: bytes
    path: str

    @property
    def id(self) -> str:
        """Return the message id."""
        return self.headers["webhook-id"]


@dataclass
class Receiver:
    """The received requests and the responses: each of `statuses` is sent once, and the last one repeatedly."""

    url: str
    statuses: list[int] = field(default_factory=lambda: [204])
    response_body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    received: list[ReceivedRequest] = field(default_factory=list)
    failures_first: int = 0
    """The number of 503 responses that each message gets before any other."""
    delay_s: float = 0
    """The delay in seconds before each response."""
    get_paths: list[str] = field(default_factory=list)
    """The paths of GET requests."""
    may_respond: threading.Event = field(default_factory=threading.Event)
    """All responses wait until this event is set."""

    def status(self, message_id: str) -> int:
        """Return the status of the response to a message that has just been received."""
        if self.ids.count(message_id) <= self.failures_first:
            return 503
        return self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]

    @property
    def ids(self) -> list[str]:
        """Return the message ids in order of arrival."""
        return [each.id for each in self.received]


@contextmanager
def run_receiver() -> Iterator[Receiver]:
    """Run a receiver during a `with` block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received = ReceivedRequest({k.lower(): v for k, v in self.headers.items()}, body, self.path)
            receiver.received.append(received)
            receiver.may_respond.wait()
            time.sleep(receiver.delay_s)
            self.send_response(receiver.status(received.id))
            for name, value in {"Content-Length": str(len(receiver.response_body)), **receiver.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(receiver.response_body)

        def do_GET(self) -> None:
            receiver.get_paths.append(self.path)
            self.send_response(receiver.statuses[0])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the base class named it
            pass

    server = ThreadedServer(("127.0.0.1", 0), Handler)
    receiver = Receiver(f"http://127.0.0.1:{server.server_port}/hooks")
    receiver.may_respond.set()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.may_respond.set()
        server.shutdown()
        server.server_close()
        thread.join()
