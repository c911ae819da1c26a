"""WSGI requests for the compared libraries. Imports only the standard library: their environments lack Latchkey."""

import io
from typing import Any

Environ = dict[str, Any]


def environ(method: str, path: str, host: str, authorization: str, body: bytes = b"") -> Environ:
    """Return the WSGI environment of one HTTPS request."""
    return {
        "HTTP_ACCEPT": "*/*",
        "HTTP_AUTHORIZATION": authorization,
        "HTTP_HOST": host,
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "REMOTE_ADDR": "203.0.113.7",
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "SERVER_NAME": host,
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.errors": io.StringIO(),
        "wsgi.input": io.BytesIO(body),
        "wsgi.multiprocess": False,
        "wsgi.multithread": False,
        "wsgi.run_once": False,
        "wsgi.url_scheme": "https",
        "wsgi.version": (1, 0),
    }
