"""A proxy that breaks the API contract of a server in one way, which `make smoke` must detect."""

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import urlsplit

from infra.local_gateway.response import Response
from tests.support.threaded_server import ThreadedServer

Mutation = Callable[[str, Response], Response]
"""A function that gets the Authorization header and the server's response, and returns the response to send."""
_CARRIED = ("connection", "content-length", "date", "server", "transfer-encoding")


def drops_a_limit_header(_authorization: str, response: Response) -> Response:
    """Remove X-RateLimit-Reset from 404 responses."""
    if response.status == 404:
        response.headers = [pair for pair in response.headers if pair[0] != "X-RateLimit-Reset"]
    return response


def says_another_401(_authorization: str, response: Response) -> Response:
    """Replace the body of a 401 with the one that API Gateway sends by default."""
    if response.status == 401 and b"missing_api_key" in response.body:
        response.body = b'{"message":"Unauthorized"}'
    return response


def exposes_no_challenge(_authorization: str, response: Response) -> Response:
    """Remove WWW-Authenticate from the headers that CORS exposes."""
    response.headers = [(name, value.replace(",WWW-Authenticate", "")) for name, value in response.headers]
    return response


def remembers(status: int, *, times: int | None) -> Mutation:
    """Return a mutation that replaces a response of this status by the credential's last 200 response.

    `times` limits the number of replacements for each credential.
    """
    passed: dict[str, Response] = {}
    left: dict[str, int] = {}

    def mutated(authorization: str, response: Response) -> Response:
        if response.status == 200:
            passed[authorization] = response
        elif response.status == status and authorization in passed and left.get(authorization, 1):
            left[authorization] = left.get(authorization, times or 2**31) - 1
            return passed[authorization]
        return response

    return mutated


@contextmanager
def before(url: str, mutation: Mutation) -> Iterator[str]:
    """Yield the URL of a proxy to the server at `url`. The proxy applies `mutation` to each response."""
    host = urlsplit(url).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            connection = http.client.HTTPConnection(host, timeout=60)
            connection.request(self.command, self.path, body or None, dict(self.headers.items()))
            came = connection.getresponse()
            headers = [pair for pair in came.getheaders() if pair[0].lower() not in _CARRIED]
            true = Response(came.status, headers, came.read())
            connection.close()
            self.send(mutation(self.headers.get("Authorization", ""), true), came.getheader("Content-Length"))

        def send(self, response: Response, length: str | None) -> None:
            self.send_response(response.status)
            for name, value in response.headers:
                self.send_header(name, value)
            if response.status != 204:
                is_head = self.command == "HEAD" and length is not None
                self.send_header("Content-Length", str(length if is_head else len(response.body)))
            self.end_headers()
            self.wfile.write(response.body)

        def __getattr__(self, name: str) -> Any:
            if name.startswith("do_"):
                return self.answer
            raise AttributeError(name)

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the base class named it
            pass

    server = ThreadedServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
