"""A web site with one page. Its port differs from the API's, so it is another origin."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

from tests.support.threaded_server import ThreadedServer

_PAGE = """<!doctype html>
<meta charset="utf-8">
<title>A page of another origin</title>
<pre></pre>
<script>
  // A bundler defines these; the page shows the printed text.
  globalThis.process = {{ env: {environment} }};
  const shown = document.querySelector("pre");
  console.log = console.error = (...words) => shown.append(words.join(" ") + "\\n");
</script>
<script type="module">
{program}
</script>
"""


class _Handler(BaseHTTPRequestHandler):
    server: "Site"

    def do_GET(self) -> None:
        page = self.server.page.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


class Site(ThreadedServer):
    """A site that shows the same page at every path."""

    page = _PAGE.format(environment="{}", program="")

    def __init__(self) -> None:
        """Listen on a free port of the loopback interface."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.origin = f"http://127.0.0.1:{self.server_port}"

    def show(self, program: str, environment: dict[str, str]) -> None:
        """Serve a page that runs the module `program` and shows its output."""
        self.page = _PAGE.format(environment=json.dumps(environment), program=program)


@contextmanager
def serve_site() -> Iterator[Site]:
    """Serve a site within a `with` block."""
    with Site() as serving:
        threading.Thread(target=serving.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield serving
        finally:
            serving.shutdown()
