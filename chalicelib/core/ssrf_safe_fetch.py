"""Asking an address that a stranger chose, without being made to reach what only we can reach (SSRF).

The name is resolved once, every address it has must be public, and the connection goes to those very addresses, so that
a second look-up can't lead elsewhere. One deadline for all of it, a bound on the size, no redirects, no proxy.
"""

import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import urlsplit

from chalicelib.core import clock, http_framing

Resolve = Callable[[str, int], Iterable[str]]

_OURS = {"Accept-Encoding": "identity", "User-Agent": "Latchkey", "Connection": "close"}
_PIECE = 16_384
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_6TO4 = ipaddress.ip_network("2002::/16")
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
"""All that is assigned. Beyond it lie older ways of writing an IPv4 address, which Python takes for global."""

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


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a name, by the system's resolver."""
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def get(
    url: str,
    *,
    deadline_s: float,
    bytes_max: int,
    accept: str = "application/json",
    resolver: Resolve = resolve,
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
    resolver: Resolve = resolve,
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
    place.addresses += _resolved(place.host, place.port, resolve, until_ns)
    with _asked(place, _request("GET", place, {}), until_ns) as incoming:
        return http_framing.head_of(incoming).status


def is_on_this_machine(url: str) -> bool:
    """Tell whether `url` is plain http to this very machine, by its address or as `localhost`."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    return parts.scheme == "http" and (host == "localhost" or _is_loopback(host))


def is_public(address: str) -> bool:
    """Tell whether all the internet can reach `address`, an IPv4 address hidden in an IPv6 one unwrapped first."""
    try:
        parsed: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address):
        parsed = _unwrapped(parsed)
    if isinstance(parsed, ipaddress.IPv6Address) and parsed not in _GLOBAL_UNICAST:
        return False
    return parsed.is_global and not parsed.is_multicast


def _unwrapped(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if address in _6TO4:
        return ipaddress.IPv4Address(int(address) >> 80 & 0xFFFFFFFF)
    return address


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


def _place(url: str, until_ns: int, resolver: Resolve, tls: ssl.SSLContext | None, *, loopback: bool = False) -> _Place:
    """Return where to ask: a plain https URL, or an http one on this machine, at addresses that were checked."""
    is_plain = loopback and is_on_this_machine(url)
    place = _parsed(url, tls)
    if (place.tls is None and not is_plain) or "@" in urlsplit(url).netloc:
        raise FetchError("Only plain https URLs are asked.")
    place.addresses += _addresses(place.host, place.port, resolver, until_ns, _is_loopback if is_plain else is_public)
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


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _addresses(host: str, port: int, resolver: Resolve, until_ns: int, is_allowed: Callable[[str], bool]) -> list[str]:
    addresses = _resolved(host, port, resolver, until_ns)
    if not addresses or not all(is_allowed(address) for address in addresses):
        raise FetchError("Its name leads to no address, or to one that isn't public.")
    return addresses


def _resolved(host: str, port: int, resolver: Resolve, until_ns: int) -> list[str]:
    """Ask for as long as the deadline allows: the system's resolver can't be told to hurry, only left alone."""
    answers: list[list[str]] = []

    def ask() -> None:
        try:
            answers.append(list(resolver(host, port)))
        except (OSError, ValueError):
            answers.append([])

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(_left_s(until_ns))
    if not answers:
        raise FetchError("It takes too long.")
    return answers[0]


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
