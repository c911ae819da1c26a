"""Fetching an address that a stranger chose, without being made to reach what only we can reach (SSRF).

The name is resolved once, every address it has must be public, and the connection goes to that very address, so that a
second look-up can't lead elsewhere. One deadline for all of it, a bound on the size, no redirects, no proxy.
"""

import http.client
import ipaddress
import socket
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from chalicelib.core import clock

Resolve = Callable[[str, int], Iterable[str]]

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_6TO4 = ipaddress.ip_network("2002::/16")


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

    Raises FetchError when the URL isn't https, an address of its name isn't public, it answers with a redirect, or it
    takes longer than `deadline_s` or is longer than `bytes_max`.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.username or parts.password:
        raise FetchError("Only plain https URLs are fetched.")
    until_ns = clock.elapsed_ns() + round(deadline_s * 1e9)
    port = parts.port or 443
    address = _public_address(parts.hostname, port, resolver)
    connection = _Pinned(parts.hostname, port, address, _left_s(until_ns), tls or ssl.create_default_context())
    try:
        target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        connection.request("GET", target, headers={"Accept": accept, "User-Agent": "Latchkey", "Connection": "close"})
        answer = connection.getresponse()
        if 300 <= answer.status < 400:
            raise FetchError("It answers with a redirect, and none is followed.")
        body = _body(connection, answer, until_ns, bytes_max)
        return Fetched(answer.status, {name.lower(): value for name, value in answer.getheaders()}, body)
    except (OSError, http.client.HTTPException) as error:
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
    return parsed.is_global and not parsed.is_multicast


def _unwrapped(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if address in _6TO4:
        return ipaddress.IPv4Address(int(address) >> 80 & 0xFFFFFFFF)
    return address


def _public_address(host: str, port: int, resolver: Resolve) -> str:
    try:
        addresses = list(resolver(host, port))
    except (OSError, UnicodeError) as error:
        raise FetchError("Its name can't be resolved.") from error
    if not addresses or not all(is_public(address) for address in addresses):
        raise FetchError("Its name leads to an address that isn't public.")
    return addresses[0]


class _Pinned(http.client.HTTPSConnection):
    """A connection to an address that was checked, under the TLS name that was asked for."""

    def __init__(self, host: str, port: int, address: str, timeout_s: float, tls: ssl.SSLContext) -> None:
        super().__init__(host, port, timeout=timeout_s, context=tls)
        self._address, self._tls = address, tls

    def connect(self) -> None:
        """Connect to the checked address rather than to whatever the name says by now."""
        plain = socket.create_connection((self._address, self.port), self.timeout)
        self.sock = self._tls.wrap_socket(plain, server_hostname=self.host)


def _body(connection: _Pinned, answer: http.client.HTTPResponse, until_ns: int, bytes_max: int) -> bytes:
    body = b""
    while True:
        # Each read gets what is left of the one deadline: a server that drips a byte a second doesn't stretch it.
        if connection.sock is not None:
            connection.sock.settimeout(_left_s(until_ns))
        chunk = answer.read1(16_384)
        if not chunk:
            return body
        body += chunk
        if len(body) > bytes_max:
            raise FetchError(f"It is longer than {bytes_max} bytes.")
        _left_s(until_ns)


def _left_s(until_ns: int) -> float:
    left_s = (until_ns - clock.elapsed_ns()) / 1e9
    if left_s <= 0:
        raise FetchError("It takes too long.")
    return left_s
