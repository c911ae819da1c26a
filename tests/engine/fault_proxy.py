"""A proxy in front of the DynamoDB emulator, to inject faults that DynamoDB can have but no emulator produces.

A fault is an error response, a broken connection, or no response. After a fault whose name ends in `_AFTER` the
emulator has processed the call, and only the response is lost.
"""

import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import urlsplit

from tests.support.threaded_server import ThreadedServer

_NAMESPACE = "com.amazonaws.dynamodb.v20120810#"


@dataclass(frozen=True, slots=True)
class Call:
    """One call to the DynamoDB emulator."""

    operation: str
    body: dict[str, Any]

    @property
    def table(self) -> str:
        """Return the table's name without its stage, or "" for a call with several tables."""
        return str(self.body.get("TableName", "")).rpartition("-")[2]


@dataclass(frozen=True, slots=True)
class ErrorResponse:
    """An error response that the proxy sends instead of forwarding the call."""

    status: int
    code: str
    more: dict[str, Any] = field(default_factory=dict)


class ConnectionFault(Enum):
    """A connection that ends without a response."""

    DROPPED = auto()
    """The connection is closed before the emulator gets the call."""
    DROPPED_AFTER = auto()
    """The connection is closed after the emulator has processed the call."""
    SILENT = auto()
    """The emulator doesn't get the call, and nothing is sent until the client disconnects."""
    SILENT_AFTER = auto()
    """The emulator has processed the call, and nothing is sent until the client disconnects."""


Fault = ErrorResponse | ConnectionFault
SILENT_FAULTS = (ConnectionFault.SILENT, ConnectionFault.SILENT_AFTER)
Rule = Callable[[Call], bool]

THROUGHPUT_EXCEEDED = ErrorResponse(400, "ProvisionedThroughputExceededException")
THROTTLED = ErrorResponse(400, "ThrottlingException")
CONFLICT = ErrorResponse(400, "TransactionConflictException")
CANCELED_BY_CONFLICT = ErrorResponse(
    400,
    "TransactionCanceledException",
    {"CancellationReasons": [{"Code": "None"}, {"Code": "TransactionConflict", "Message": "Transaction is ongoing"}]},
)
CREDENTIAL_ERRORS = [
    ErrorResponse(400, code)
    for code in ("InvalidSignatureException", "RequestTimeTooSkewed", "RequestExpired", "ExpiredTokenException")
]
SERVER_ERROR = ErrorResponse(500, "InternalServerError")
SERVICE_UNAVAILABLE = ErrorResponse(503, "ServiceUnavailable")


def fault_id(fault: Fault) -> str:
    """Return the name of a fault for a test id."""
    return fault.code if isinstance(fault, ErrorResponse) else fault.name.lower()


def is_admission(call: Call) -> bool:
    """Return whether a call is the write that admits a request."""
    return call.table == "windows" and "ADD used" in call.body.get("UpdateExpression", "")


def is_stale_mark(call: Call) -> bool:
    """Return whether a call sets an invalidation mark."""
    return call.table == "windows" and "stale_at" in call.body.get("UpdateExpression", "")


def is_transaction(call: Call) -> bool:
    """Return whether a call is a transaction."""
    return call.operation == "TransactWriteItems"


def is_get_item(call: Call) -> bool:
    """Return whether a call reads one item."""
    return call.operation == "GetItem"


def is_batch_get_item(call: Call) -> bool:
    """Return whether a call reads items of several tables, as the second call of a verification does."""
    return call.operation == "BatchGetItem"


class FaultProxy:
    """A proxy in front of the DynamoDB emulator. `seen` lists all calls in the order of arrival,
    including failed ones.
    """

    def __init__(self, engine_url: str) -> None:
        """Listen on a free port, and forward calls to the emulator at `engine_url`."""
        self.engine = urlsplit(engine_url).netloc
        self.seen: list[Call] = []
        self._decide: Callable[[Call], Fault | None] = lambda _: None
        self._lock = threading.Lock()
        self._hung_up = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        """Stop listening and close waiting connections."""
        self._hung_up.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @contextmanager
    def fail(self, rule: Rule, fault: Fault, *, times: int | None = None) -> Iterator[list[Call]]:
        """Fail calls that `rule` matches during a `with` block: the first `times` calls, or by default all of them.

        Yields the list of matched calls, including those beyond `times`, which are forwarded.
        """
        picked: list[Call] = []

        def decide(call: Call) -> Fault | None:
            if not rule(call):
                return None
            picked.append(call)
            return fault if times is None or len(picked) <= times else None

        with self.fail_by(decide):
            yield picked

    @contextmanager
    def fail_by(self, decide: Callable[[Call], Fault | None]) -> Iterator[None]:
        """Fail calls during a `with` block with the faults that `decide` returns. `decide` never runs concurrently."""
        self._decide, before = decide, self._decide
        try:
            yield
        finally:
            self._decide = before

    def decide(self, call: Call) -> Fault | None:
        """Record a call and return its fault, or None to forward it."""
        with self._lock:
            self.seen.append(call)
            return self._decide(call)

    def wait_for_hang_up(self, caller: socket.socket) -> None:
        """Send nothing until the client or the proxy closes the connection."""
        caller.settimeout(0.05)
        while not self._hung_up.is_set():
            try:
                if caller.recv(1, socket.MSG_PEEK) == b"":
                    return
            except TimeoutError:
                continue
            except OSError:
                return


class _Server(ThreadedServer):
    proxy: FaultProxy


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        call = Call(self.headers["X-Amz-Target"].rpartition(".")[2], json.loads(body))
        fault = self.server.proxy.decide(call)
        if isinstance(fault, ErrorResponse):
            self._send(fault.status, json.dumps({"__type": _NAMESPACE + fault.code, "message": "", **fault.more}))
            return
        if fault in (ConnectionFault.DROPPED, ConnectionFault.SILENT):
            self._break(fault)
            return
        status, response = self._forward(body)
        if fault is not None:
            self._break(fault)
            return
        self._send(status, response)

    def setup(self) -> None:
        super().setup()
        self.engine = http.client.HTTPConnection(self.server.proxy.engine, timeout=30)

    def finish(self) -> None:
        super().finish()
        self.engine.close()

    def _forward(self, body: bytes) -> tuple[int, str]:
        self.engine.request("POST", "/", body, dict(self.headers.items()))
        response = self.engine.getresponse()
        return response.status, response.read().decode()

    def _break(self, fault: ConnectionFault) -> None:
        if fault in SILENT_FAULTS:
            self.server.proxy.wait_for_hang_up(self.connection)
        self.close_connection = True

    def _send(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class named it
        """Print nothing."""
