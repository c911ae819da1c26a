"""Fetch a URL chosen by an untrusted caller without connecting to internal addresses (SSRF).

The host name is resolved once, all its addresses must be public, and the connection is made to one of them. Thus no
second DNS look-up can return an internal address. The whole exchange has one deadline and a size limit. Redirects
aren't followed, and proxies aren't used.
"""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import urlsplit

from chalicelib.core import clock, http_framing, ssrf_rule

_FIXED = {"Accept-Encoding": "identity", "User-Agent": "Latchkey", "Connection": "close"}
_PIECE = 16_384
HOST_MAX = 253
"""The maximum length of a host name (RFC 1035 §2.3.4). It is checked because IDNA encoding takes quadratic time."""
ADDRESSES_MAX = 4
"""The maximum number of addresses of a host name to which a connection is tried."""


class FetchError(Exception):
    """The fetch failed or isn't allowed. The message is shown to the user who chose the URL."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """The response to a fetch."""

    status: int
    headers: dict[str, str]
    body: bytes


def get(
    url: str,
    *,
    deadline_s: float,
    bytes_max: int,
    accept: str = "application/json",
    resolver: ssrf_rule.Resolve = ssrf_rule.resolve,
    tls: ssl.SSLContext | None = None,
) -> Fetched:
    """Fetch an https URL.

    Raises FetchError when the URL isn't https, an address isn't public, the response is a redirect or truncated, or the
    fetch exceeds `deadline_s` or `bytes_max`. Only tests set `resolver` and `tls`.
    """
    until_ns = _until_ns(deadline_s)
    server = _resolve_server(url, until_ns, resolver, tls)
    with _exchange(server, _request("GET", server, {"Accept": accept}), until_ns) as stream:
        head = http_framing.read_head(stream)
        if 300 <= head.status < 400:
            raise FetchError("It responds with a redirect, which isn't followed.")
        body = bytearray()
        for piece in http_framing.read_body(stream, head):
            body += piece
            if len(body) > bytes_max:
                raise FetchError(f"It is longer than {bytes_max} bytes.")
        return Fetched(head.status, dict(head.headers), bytes(body))


def post(
    url: str,
    body: bytes,
    headers: dict[str, str],
    *,
    deadline_s: float,
    bytes_max: int,
    loopback: bool = False,
    resolver: ssrf_rule.Resolve = ssrf_rule.resolve,
    tls: ssl.SSLContext | None = None,
) -> Fetched:
    """Post `body` to an https URL. If `loopback` is set, an http URL on this machine is allowed too.

    Responses with any status are returned, including redirects. At most `bytes_max` of the body are read, and a
    truncated body isn't an error. Raises FetchError when an address isn't public, or no status arrives in time.
    """
    until_ns = _until_ns(deadline_s)
    server = _resolve_server(url, until_ns, resolver, tls, loopback=loopback)
    with _exchange(server, _request("POST", server, headers, body), until_ns) as stream:
        head = http_framing.read_head(stream, "POST")
        return Fetched(head.status, dict(head.headers), _read_start(stream, head, bytes_max))


def fetch_status(url: str, *, deadline_s: float) -> int:
    """GET the service's own URL and return the status code.

    The address needn't be public, because no caller chose the URL. Raises FetchError if there is no response.
    """
    until_ns = _until_ns(deadline_s)
    server = _parse_url(url)
    server.addresses += _resolve(server.host, server.port, ssrf_rule.resolve, until_ns)
    with _exchange(server, _request("GET", server, {}), until_ns) as stream:
        return http_framing.read_head(stream).status


@dataclass(slots=True)
class _Server:
    """The server of a URL: its addresses, and the host name for TLS and the Host header."""

    host: str
    port: int
    target: str
    tls: ssl.SSLContext | None
    addresses: list[str] = field(default_factory=list)

    @property
    def authority(self) -> str:
        """Return the value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host.encode("idna").decode()
        return host if self.port == (80 if self.tls is None else 443) else f"{host}:{self.port}"


def _resolve_server(
    url: str, until_ns: int, resolver: ssrf_rule.Resolve, tls: ssl.SSLContext | None, *, loopback: bool = False
) -> _Server:
    """Resolve the host of an https URL or, with `loopback`, of a local http URL, and check its addresses."""
    is_http = loopback and ssrf_rule.is_loopback_url(url)
    server = _parse_url(url, tls)
    if (server.tls is None and not is_http) or "@" in urlsplit(url).netloc:
        raise FetchError("Only https URLs are allowed.")
    server.addresses += _resolve(server.host, server.port, resolver, until_ns)
    is_allowed = ssrf_rule.is_loopback if is_http else ssrf_rule.is_public
    if not server.addresses or not all(map(is_allowed, server.addresses)):
        raise FetchError("The host name resolves to no address, or to one that isn't public.")
    return server


def _parse_url(url: str, tls: ssl.SSLContext | None = None) -> _Server:
    """Parse an http or https URL. The host name isn't resolved yet."""
    try:
        parts = urlsplit(url)
        is_http = parts.scheme == "http"
        port = parts.port if parts.port is not None else (80 if is_http else 443)
        # Reject a name that TLS can't use, such as one with a leading dot, before a connection is made.
        if len(parts.hostname or "") > HOST_MAX:
            raise ValueError("the host name is too long")
        (parts.hostname or "").encode("idna")
    except ValueError:
        raise FetchError("It is not a valid URL.") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise FetchError("Only https URLs are allowed.")
    target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    if not target.isascii() or not target.isprintable() or " " in target:
        raise FetchError("It is not a valid URL.")
    return _Server(parts.hostname, port, target, None if is_http else tls or _default_tls())


@cache
def _default_tls() -> ssl.SSLContext:
    """Return the default TLS context. It is created once per process, because reading the certificates takes 20 ms."""
    return ssl.create_default_context()


def _resolve(host: str, port: int, resolver: ssrf_rule.Resolve, until_ns: int) -> list[str]:
    addresses = ssrf_rule.resolve_within(host, port, resolver, _left_s(until_ns))
    if addresses is None:
        raise FetchError("It takes too long.")
    return addresses


def _request(method: str, server: _Server, headers: dict[str, str], body: bytes | None = None) -> bytes:
    """Return the bytes of a request. Raises FetchError for a header value that could inject another header."""
    length = {} if body is None else {"Content-Length": str(len(body))}
    lines = [f"{name}: {value}" for name, value in {"Host": server.authority, **headers, **_FIXED, **length}.items()]
    if any(not line.isascii() or not line.isprintable() for line in lines):
        raise FetchError("A request header is invalid.")
    head = "\r\n".join((f"{method} {server.target} HTTP/1.1", *lines, "", ""))
    return head.encode("ascii") + (body or b"")


@contextmanager
def _exchange(server: _Server, request: bytes, until_ns: int) -> Iterator[http_framing.ResponseStream]:
    """Send a request, and pass the response to a `with` block. One deadline covers everything, even a slow body."""
    connection: socket.socket | None = None

    def receive() -> bytes:
        assert connection is not None  # noqa: S101 - only read within the block below
        connection.settimeout(_left_s(until_ns))
        return connection.recv(_PIECE)

    try:
        connection = _connect(server, until_ns)
        connection.settimeout(_left_s(until_ns))
        connection.sendall(request)
        yield http_framing.ResponseStream(receive)
    except (OSError, ValueError) as error:
        raise FetchError(_describe_failure(error)) from error
    finally:
        if connection is not None:
            connection.close()


def _connect(server: _Server, until_ns: int) -> socket.socket:
    """Connect to one of the checked addresses. The host name isn't resolved again."""
    plain = _connect_to_any(server, until_ns)
    if server.tls is None:
        return plain
    try:
        plain.settimeout(_left_s(until_ns))
        return server.tls.wrap_socket(plain, server_hostname=server.host)
    finally:
        # Closing has no effect if the TLS socket has taken over the connection.
        plain.close()


def _connect_to_any(server: _Server, until_ns: int) -> socket.socket:
    """Try each address in order, with an equal share of the remaining time."""
    *others, last = server.addresses[:ADDRESSES_MAX] or [""]
    for tried, address in enumerate(others):
        with suppress(OSError):
            return socket.create_connection((address, server.port), _left_s(until_ns) / (len(others) + 1 - tried))
    return socket.create_connection((last, server.port), _left_s(until_ns))


def _read_start(stream: http_framing.ResponseStream, head: http_framing.Head, bytes_max: int) -> bytes:
    """Return the start of a body, up to a limit. The status has already arrived, so errors in the body are ignored."""
    body = bytearray()
    with suppress(OSError, ValueError, FetchError):
        for piece in http_framing.read_body(stream, head):
            body += piece
            if len(body) >= bytes_max:
                break
    return bytes(body[:bytes_max])


def _describe_failure(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "It takes too long."
    if isinstance(error, ssl.SSLError):
        return "Its certificate is invalid, or it doesn't support TLS."
    if isinstance(error, ConnectionRefusedError):
        return "It refuses connections."
    return "It doesn't respond." if isinstance(error, OSError) else "Its response is not valid HTTP."


def _until_ns(deadline_s: float) -> int:
    return clock.elapsed_ns() + round(deadline_s * 1e9)


def _left_s(until_ns: int) -> float:
    left_s = (until_ns - clock.elapsed_ns()) / 1e9
    if left_s <= 0:
        raise FetchError("It takes too long.")
    return left_s
