"""Fetching an address that a stranger chose, without being made to reach what only we can reach (SSRF).

The name is resolved once, every address it has must be public, and the connection goes to that very address, so that a
second look-up can't lead elsewhere. One deadline for all of it, a bound on the size, no redirects, no proxy.
"""

import http.client
import io
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from chalicelib.core import clock

Resolve = Callable[[str, int], Iterable[str]]

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_6TO4 = ipaddress.ip_network("2002::/16")
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
"""All that is assigned. Beyond it lie older ways of writing an IPv4 address, which Python takes for global."""


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
    try:
        parts = urlsplit(url)
        port = 443 if parts.port is None else parts.port
        # What is no name in TLS, like one that starts with a dot, must not get as far as a connection.
        (parts.hostname or "").encode("idna")
    except ValueError:
        raise FetchError("It is no URL.") from None
    if parts.scheme != "https" or not parts.hostname or "@" in parts.netloc:
        raise FetchError("Only plain https URLs are fetched.")
    until_ns = clock.elapsed_ns() + round(deadline_s * 1e9)
    address = _public_address(parts.hostname, port, resolver, until_ns)
    connection = _Pinned(parts.hostname, port, address, until_ns, tls or ssl.create_default_context())
    try:
        target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        connection.request("GET", target, headers={"Accept": accept, "User-Agent": "Latchkey", "Connection": "close"})
        with connection.getresponse() as answer:
            if 300 <= answer.status < 400:
                raise FetchError("It answers with a redirect, and none is followed.")
            body = _body(answer, bytes_max)
            return Fetched(answer.status, {name.lower(): value for name, value in answer.getheaders()}, body)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise FetchError("It doesn't answer.") from error
    finally:
        connection.close()


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


def _public_address(host: str, port: int, resolver: Resolve, until_ns: int) -> str:
    addresses = _resolved(host, port, resolver, until_ns)
    if not addresses or not all(is_public(address) for address in addresses):
        raise FetchError("Its name leads to no address, or to one that isn't public.")
    return addresses[0]


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


class _Pinned(http.client.HTTPSConnection):
    """A connection to an address that was checked, under the TLS name that was asked for, for as long as is left."""

    def __init__(self, host: str, port: int, address: str, until_ns: int, tls: ssl.SSLContext) -> None:
        super().__init__(host, port, context=tls)
        self._address, self._until_ns, self._tls = address, until_ns, tls
        self.response_class = self._answer  # type: ignore[assignment]  # called to make a response, and nothing else

    def connect(self) -> None:
        """Connect to the checked address rather than to whatever the name says by now."""
        plain = socket.create_connection((self._address, self.port), _left_s(self._until_ns))
        try:
            plain.settimeout(_left_s(self._until_ns))
            self.sock = self._tls.wrap_socket(plain, server_hostname=self.host)
        finally:
            # Handed over to the TLS socket, if it came to that.
            plain.close()

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


def _left_s(until_ns: int) -> float:
    left_s = (until_ns - clock.elapsed_ns()) / 1e9
    if left_s <= 0:
        raise FetchError("It takes too long.")
    return left_s
