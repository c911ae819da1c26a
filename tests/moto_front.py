"""moto's DynamoDB on a socket of this process: what runs on it talks to it as it would to AWS, connection and all."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

from moto.core.request import Request
from moto.dynamodb.responses import DynamoHandler

from tests.serving import CrowdServer

URL = "https://dynamodb.us-east-1.amazonaws.com/"
"""Where moto takes a request to have gone."""
ANSWERS_WITHIN_S = 30
"""moto knows no idempotency tokens: on a busy machine a call that is sent twice would count twice."""

_one_at_a_time = threading.Lock()
"""moto isn't made for threads: it loses updates, and trips over a table that changes while it is read."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        request = Request.from_primitives("POST", URL, self.headers, body)
        with _one_at_a_time:
            status, headers, text = DynamoHandler.dispatch(request, URL, request.headers)
        answer = text.encode() if isinstance(text, str) else text
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "date", "server"):
                self.send_header(name, str(value))
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class named it
        """Stay quiet."""


@contextmanager
def served() -> Iterator[str]:
    """Serve moto's tables for the length of a `with` block; return the URL."""
    with CrowdServer(("127.0.0.1", 0), _Handler) as front:
        thread = threading.Thread(target=front.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{front.server_port}"
        finally:
            front.shutdown()
            thread.join()
