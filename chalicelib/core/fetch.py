"""Asking an address that a stranger chose, without being made to reach what only we can reach (SSRF).

The name is resolved once, every address it has must be public, and the connection goes to those very addresses, so that
a second look-up can't lead elsewhere. One deadline for all of it, a bound on the size, no redirects, no proxy.
"""

import http.client
import io
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from chalicelib.core import clock

Resolve = Callable[[str, int], Iterable[str]]

_OURS = {"User-Agent": "Latchkey", "Connection": "close"}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_6TO4 = ipaddress.ip_network("2002::/16")
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
"""All that is assigned. Beyond it lie older ways of writing an IPv4 address, which Python takes for global."""

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
    until_ns = clock.elapsed_ns() + round(deadline_s * 1e9)
    connection, target = _connection(url, until_ns, resolver, tls)
    try:
        connection.request("GET", target, headers={"Accept": accept, **_OURS})
        with connection.getresponse() as answer:
            if 300 <= answer.status < 400:
                raise FetchError("It answers with a redirect, and none is followed.")
            return _fetched(answer, _body(answer, bytes_max))
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise FetchError("It doesn't answer.") from error
    finally:
        connection.close()


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
    until_ns = clock.elapsed_ns() + round(deadline_s * 1e9)
    connection, target = _connection(url, until_ns, resolver, tls, loopback=loopback)
    try:
        connection.request("POST", target, body, {**headers, **_OURS})
        with connection.getresponse() as answer:
            return _fetched(answer, _beginning(answer, bytes_max))
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise FetchError(_why_no_answer(error)) from error
    finally:
        connection.close()


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


def _connection(
    url: str, until_ns: int, resolver: Resolve, tls: ssl.SSLContext | None, *, loopback: bool = False
) -> tuple["_Pinned", str]:
    """Return a connection that will go to a checked address, and what to ask for there."""
    try:
        parts = urlsplit(url)
        is_plain = loopback and is_on_this_machine(url)
        port = parts.port if parts.port is not None else (80 if is_plain else 443)
        # What is no name in TLS, like one that starts with a dot, must not get as far as a connection.
        (parts.hostname or "").encode("idna")
    except ValueError:
        raise FetchError("It is no URL.") from None
    if (parts.scheme != "https" and not is_plain) or not parts.hostname or "@" in parts.netloc:
        raise FetchError("Only plain https URLs are asked.")
    addresses = _addresses(parts.hostname, port, resolver, until_ns, _is_loopback if is_plain else is_public)
    secured = None if is_plain else tls or ssl.create_default_context()
    target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    return _Pinned(parts.hostname, port, addresses, until_ns, secured), target


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


class _Pinned(http.client.HTTPConnection):
    """A connection to one of the addresses that were checked, for as long as is left; with TLS, under the name."""

    def __init__(self, host: str, port: int, addresses: list[str], until_ns: int, tls: ssl.SSLContext | None) -> None:
        super().__init__(host, port)
        self.default_port = 80 if tls is None else 443
        self._addresses, self._until_ns, self._tls = addresses, until_ns, tls
        self.response_class = self._answer  # type: ignore[assignment]  # called to make a response, and nothing else

    def connect(self) -> None:
        """Connect to a checked address rather than to whatever the name says by now."""
        self.sock = self._connected()
        self.sock.settimeout(_left_s(self._until_ns))
        if self._tls is not None:
            plain = self.sock
            try:
                self.sock = self._tls.wrap_socket(plain, server_hostname=self.host)
            finally:
                # Handed over to the TLS socket, if it came to that.
                plain.close()

    def _connected(self) -> socket.socket:
        """Try one address after another, each for its share of what is left."""
        *others, last = self._addresses[:ADDRESSES_MAX]
        for left, address in zip(range(len(others) + 1, 1, -1), others, strict=True):
            with suppress(OSError):
                return socket.create_connection((address, self.port), _left_s(self._until_ns) / left)
        return socket.create_connection((last, self.port), _left_s(self._until_ns))

    def _answer(self, sock: socket.socket, method: str | None = None) -> http.client.HTTPResponse:
        answer = http.client.HTTPResponse(sock, method=method)
        answer.fp.close()
        answer.fp = io.BufferedReader(_Timed(sock, self._until_ns))
        return answer


class _Timed(io.RawIOBase):
    """What a server sends. Each read gets what is left of the one deadline: no drip stretches it, of headers either."""

    def __init__(self, sock: socket.socket, until_ns: int) -> None:
        self._sock, self._until_ns, self._raw = sock, until_ns, sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read what is there, waiting no longer than is left."""
        self._sock.settimeout(_left_s(self._until_ns))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        """Let go of the connection."""
        self._raw.close()
        super().close()


def _body(answer: http.client.HTTPResponse, bytes_max: int) -> bytes:
    body = b""
    while chunk := answer.read1(16_384):
        body += chunk
        if len(body) > bytes_max:
            raise FetchError(f"It is longer than {bytes_max} bytes.")
    if answer.length:
        raise FetchError("It breaks off.")
    return body


def _beginning(answer: http.client.HTTPResponse, bytes_max: int) -> bytes:
    """Return what comes of a body, up to a bound: whoever has said a status has answered, whatever follows."""
    body = b""
    try:
        while len(body) < bytes_max and (chunk := answer.read1(bytes_max - len(body))):
            body += chunk
    except (OSError, ValueError, http.client.HTTPException, FetchError):
        return body
    return body


def _fetched(answer: http.client.HTTPResponse, body: bytes) -> Fetched:
    return Fetched(answer.status, {name.lower(): value for name, value in answer.getheaders()}, body)


def _why_no_answer(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "It takes too long."
    if isinstance(error, ssl.SSLError):
        return "Its certificate isn't good, or it speaks no TLS."
    if isinstance(error, ConnectionRefusedError):
        return "It refuses connections."
    return "It doesn't answer." if isinstance(error, OSError) else "It answers with what is no HTTP."


def _left_s(until_ns: int) -> float:
    left_s = (until_ns - clock.elapsed_ns()) / 1e9
    if left_s <= 0:
        raise FetchError("It takes too long.")
    return left_s
