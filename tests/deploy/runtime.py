"""A Lambda function in AWS's own runtime client, and a Runtime API that sends it one event after another.

As in Lambda, a function has one process, gets the next event after it has responded to the previous one, and may find
its connections closed after it was frozen.
"""

import json
import os
import queue
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from infra import pinned

ANSWERS_WITHIN_S = 60
REGION = "us-east-1"


@dataclass
class Function:
    """A running function. `invoke` sends it an event, as Lambda does."""

    process: subprocess.Popen[bytes]
    events: "queue.Queue[Any]"
    answers: "queue.Queue[tuple[str, Any]]"

    def invoke(self, event: Any) -> Any:
        """Return the function's response; raise AssertionError with the function's error if it fails."""
        self.events.put(event)
        kind, answer = self._answer()
        assert kind == "response", answer
        return answer

    def _answer(self) -> tuple[str, Any]:
        until = time.monotonic() + ANSWERS_WITHIN_S
        while time.monotonic() < until and self.process.poll() is None:
            with suppress(queue.Empty):
                return self.answers.get(timeout=0.5)
        raise AssertionError(f"no answer; the function ended with {self.process.poll()}")

    @property
    def peak_mb(self) -> float:
        """Return the function's peak memory."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


@contextmanager
def running(task: Path, handler: str, name: str, environment: Mapping[str, str]) -> Iterator[Function]:
    """Run a function of an unpacked package during a `with` block."""
    events: queue.Queue[Any] = queue.Queue()
    answers: queue.Queue[tuple[str, Any]] = queue.Queue()

    class RuntimeApi(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            event = events.get()
            body = json.dumps(event).encode()
            self.send_response(200)
            self.send_header("Lambda-Runtime-Aws-Request-Id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd")
            self.send_header("Lambda-Runtime-Deadline-Ms", "4102444800000")
            self.send_header("Lambda-Runtime-Invoked-Function-Arn", f"arn:aws:lambda:{REGION}:1:function:{name}")
            self.send_header("Lambda-Runtime-Trace-Id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0")
            # The client crashes with a null pointer if this header is missing.
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answers.put((self.path.rpartition("/")[2], json.loads(body or b"null")))
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            """Print nothing."""

    class QuietServer(ThreadingHTTPServer):
        def handle_error(self, *_arguments: Any) -> None:
            """Ignore the closed connection of a function that was killed."""

    api = QuietServer(("127.0.0.1", 0), RuntimeApi)
    api.daemon_threads = True
    threading.Thread(target=api.serve_forever, daemon=True).start()
    own = {
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{api.server_port}",
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": "here",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "LAMBDA_TASK_ROOT": str(task),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(task),
    }
    python = pinned.python_programs("emulator") / "python"
    process = subprocess.Popen([python, "-m", "awslambdaric", handler], cwd=task, env={**own, **environment})
    try:
        yield Function(process, events, answers)
    finally:
        process.kill()
        process.wait()
        api.shutdown()
        api.server_close()


@dataclass
class Line:
    """A proxy in front of a server. It can drop all connections, as if the client had been frozen for long."""

    url: str
    behind: tuple[str, int]
    held: list[socket.socket] = field(default_factory=list)

    def cut(self) -> None:
        """Drop every open connection."""
        for each in self.held:
            _shut(each)
            each.close()
        self.held.clear()


@contextmanager
def line_to(url: str) -> Iterator[Line]:
    """Run a proxy to a server during a `with` block."""
    parts = urlsplit(url)
    listening = socket.create_server(("127.0.0.1", 0))
    line = Line(f"http://127.0.0.1:{listening.getsockname()[1]}", (str(parts.hostname), int(parts.port or 80)))
    threading.Thread(target=_accept, args=(listening, line), daemon=True).start()
    try:
        yield line
    finally:
        _shut(listening)
        listening.close()
        line.cut()


def _accept(listening: socket.socket, line: Line) -> None:
    while True:
        try:
            near, _ = listening.accept()
        except OSError:
            return
        far = socket.create_connection(line.behind)
        line.held += [near, far]
        for one, other in ((near, far), (far, near)):
            threading.Thread(target=_pass_on, args=(one, other), daemon=True).start()


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while data := one.recv(65_536):
            other.sendall(data)
    _shut(other)


def _shut(end: socket.socket) -> None:
    with suppress(OSError):  # The connection may be closed already.
        end.shutdown(socket.SHUT_RDWR)
