"""Asking an address that a stranger chose, without being made to reach what only we can reach (SSRF).

The name is resolved once, every address it has must be public, and the connection goes to those very addresses, so that
a second look-up can't lead elsewhere. One deadline for all of it, a bound on the size, no redirects, no proxy.
"""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import urlsplit

from chalicelib.core import clock, http_framing, ssrf_rule

_OURS = {"Accept-Encoding": "identity", "User-Agent": "Latchkey", "Connection": "close"}
_PIECE = 16_384
HOST_MAX = 253
"""No name is longer (RFC 1035 §2.3.4); what turns one into ASCII takes quadratic time."""
ADDRESSES_MAX = 4
"""So many of a name's addresses are tried."""


class FetchError(Exception):
    """It can't or mustn't be fetched; the message is for whoever chose the address."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer."""

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
    """Fetch an https URL; `resolver` and `tls` are arguments for tests, never settings.

    Raises FetchError when the URL isn't https, an address of its name isn't public, it answers with a redirect, it
    breaks off, or it takes longer than `deadline_s` or is longer than `bytes_max`.
    """
    until_ns = _until_ns(deadline_s)
    place = _place(url, until_ns, resolver, tls)
    with _asked(place, _request("GET", place, {"Accept": accept}), until_ns) as incoming:
        head = http_framing.head_of(incoming)
        if 300 <= head.status < 400:
            raise FetchError("It answers with a redirect, and none is followed.")
        body = bytearray()
        for piece in http_framing.body_of(incoming, head):
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
    """Send `body` to an https URL, or to an http one on this machine where `loopback` is allowed.

    Whatever status comes is an answer, a redirect too; of its body no more is kept than `bytes_max`, and that it breaks
    off changes nothing. Raises FetchError when an address of the name isn't public, or no status comes in time.
    """
    until_ns = _until_ns(deadline_s)
    place = _place(url, until_ns, resolver, tls, loopback=loopback)
    with _asked(place, _request("POST", place, headers, body), until_ns) as incoming:
        head = http_framing.head_of(incoming, "POST")
        return Fetched(head.status, dict(head.headers), _beginning(incoming, head, bytes_max))


def status_of(url: str, *, deadline_s: float) -> int:
    """Return the status of a GET of our own URL, wherever that leads; its body isn't read.

    Raises FetchError when none comes in time.
    """
    until_ns = _until_ns(deadline_s)
    place = _parsed(url)
    place.addresses += _resolved(place.host, place.port, ssrf_rule.resolve, until_ns)
    with _asked(place, _request("GET", place, {}), until_ns) as incoming:
        return http_framing.head_of(incoming).status


@dataclass(slots=True)
class _Place:
    """Where a request goes: to one of the addresses; with TLS, under the name."""

    host: str
    port: int
    target: str
    tls: ssl.SSLContext | None
    addresses: list[str] = field(default_factory=list)

    @property
    def authority(self) -> str:
        """Return what the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host.encode("idna").decode()
        return host if self.port == (80 if self.tls is None else 443) else f"{host}:{self.port}"


def _place(
    url: str, until_ns: int, resolver: ssrf_rule.Resolve, tls: ssl.SSLContext | None, *, loopback: bool = False
) -> _Place:
    """Return where to ask: a plain https URL, or an http one on this machine, at addresses that were checked."""
    is_plain = loopback and ssrf_rule.is_on_this_machine(url)
    place = _parsed(url, tls)
    if (place.tls is None and not is_plain) or "@" in urlsplit(url).netloc:
        raise FetchError("Only plain https URLs are asked.")
    place.addresses += _resolved(place.host, place.port, resolver, until_ns)
    is_allowed = ssrf_rule.is_loopback if is_plain else ssrf_rule.is_public
    if not place.addresses or not all(map(is_allowed, place.addresses)):
        raise FetchError("Its name leads to no address, or to one that isn't public.")
    return place


def _parsed(url: str, tls: ssl.SSLContext | None = None) -> _Place:
    """Return the place that an http or https URL names, without its addresses."""
    try:
        parts = urlsplit(url)
        is_plain = parts.scheme == "http"
        port = parts.port if parts.port is not None else (80 if is_plain else 443)
        # What is no name in TLS, like one that starts with a dot, must not get as far as a connection.
        if len(parts.hostname or "") > HOST_MAX:
            raise ValueError("longer than any name")
        (parts.hostname or "").encode("idna")
    except ValueError:
        raise FetchError("It is no URL.") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise FetchError("Only plain https URLs are asked.")
    target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    if not target.isascii() or not target.isprintable() or " " in target:
        raise FetchError("It is no URL.")
    return _Place(parts.hostname, port, target, None if is_plain else tls or _everybodys())


@cache
def _everybodys() -> ssl.SSLContext:
    """Return what trusts the authorities that everybody does, read once a process: their certificates take 20 ms."""
    return ssl.create_default_context()


def _resolved(host: str, port: int, resolver: ssrf_rule.Resolve, until_ns: int) -> list[str]:
    addresses = ssrf_rule.resolved(host, port, resolver, _left_s(until_ns))
    if addresses is None:
        raise FetchError("It takes too long.")
    return addresses


def _request(method: str, place: _Place, headers: dict[str, str], body: bytes | None = None) -> bytes:
    """Return a whole request; raise FetchError for a header that would be more than one."""
    length = {} if body is None else {"Content-Length": str(len(body))}
    lines = [f"{name}: {value}" for name, value in {"Host": place.authority, **headers, **_OURS, **length}.items()]
    if any(not line.isascii() or not line.isprintable() for line in lines):
        raise FetchError("It can't be asked with such a header.")
    head = "\r\n".join((f"{method} {place.target} HTTP/1.1", *lines, "", ""))
    return head.encode("ascii") + (body or b"")


@contextmanager
def _asked(place: _Place, request: bytes, until_ns: int) -> Iterator[http_framing.Incoming]:
    """Send a request and give what comes to a `with` block; one deadline for all of it, bodies that drip included."""
    connection: socket.socket | None = None

    def receive() -> bytes:
        assert connection is not None  # noqa: S101 - read within the block below only
        connection.settimeout(_left_s(until_ns))
        return connection.recv(_PIECE)

    try:
        connection = _connected(place, until_ns)
        connection.settimeout(_left_s(until_ns))
        connection.sendall(request)
        yield http_framing.Incoming(receive)
    except (OSError, ValueError) as error:
        raise FetchError(_why_no_answer(error)) from error
    finally:
        if connection is not None:
            connection.close()


def _connected(place: _Place, until_ns: int) -> socket.socket:
    """Connect to a checked address rather than to whatever the name says by now."""
    plain = _reached(place, until_ns)
    if place.tls is None:
        return plain
    try:
        plain.settimeout(_left_s(until_ns))
        return place.tls.wrap_socket(plain, server_hostname=place.host)
    finally:
        # Handed over to the TLS socket, if it came to that.
        plain.close()


def _reached(place: _Place, until_ns: int) -> socket.socket:
    """Try one address after another, each for its share of what is left."""
    *others, last = place.addresses[:ADDRESSES_MAX] or [""]
    for tried, address in enumerate(others):
        with suppress(OSError):
            return socket.create_connection((address, place.port), _left_s(until_ns) / (len(others) + 1 - tried))
    return socket.create_connection((last, place.port), _left_s(until_ns))


def _beginning(incoming: http_framing.Incoming, head: http_framing.Head, bytes_max: int) -> bytes:
    """Return what comes of a body, up to a bound: whoever has said a status has answered, whatever follows."""
    body = bytearray()
    with suppress(OSError, ValueError, FetchError):
        for piece in http_framing.body_of(incoming, head):
            body += piece
            if len(body) >= bytes_max:
                break
    return bytes(body[:bytes_max])


def _why_no_answer(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "It takes too long."
    if isinstance(error, ssl.SSLError):
        return "Its certificate isn't good, or it speaks no TLS."
    if isinstance(error, ConnectionRefusedError):
        return "It refuses connections."
    return "It doesn't answer." if isinstance(error, OSError) else "It answers with what is no HTTP."


def _until_ns(deadline_s: float) -> int:
    return clock.elapsed_ns() + round(deadline_s * 1e9)


def _left_s(until_ns: int) -> float:
    left_s = (until_ns - clock.elapsed_ns()) / 1e9
    if left_s <= 0:
        raise FetchError("It takes too long.")
    return left_s
