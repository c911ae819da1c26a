"""A receiver of webhooks on this machine: answers as it is told to, and keeps what it was sent."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.support.threaded_server import ThreadedServer

PUBLIC_URL = "http://127.0.0.1:8000"
"""The URL of a local run: only there may a receiver be on the same machine."""


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """One request."""

    headers: dict[str, str]
    body: bytes
    path: str

    @property
    def id(self) -> str:
        """Return which message it is."""
        return self.headers["webhook-id"]


@dataclass
class Receiver:
    """What came, and what is answered: each status of `statuses` once, then the last for ever."""

    url: str
    statuses: list[int] = field(default_factory=lambda: [204])
    response_body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    received: list[ReceivedRequest] = field(default_factory=list)
    failures_first: int = 0
    """How often it answers each message with 503 before it answers as told."""
    delay_s: float = 0
    """How long it takes to answer."""
    get_paths: list[str] = field(default_factory=list)
    """The paths that were asked for by GET."""
    may_respond: threading.Event = field(default_factory=threading.Event)
    """Set, unless the receiver is to take its time."""

    def status(self, message_id: str) -> int:
        """Return what is answered to a message that has just come."""
        if self.ids.count(message_id) <= self.failures_first:
            return 503
        return self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]

    @property
    def ids(self) -> list[str]:
        """Return the ids of the messages in the order in which they came."""
        return [each.id for each in self.received]


@contextmanager
def run_receiver() -> Iterator[Receiver]:
    """Listen for the length of a `with` block."""

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
