"""The SSRF rule: a URL chosen by a caller may only refer to publicly routable addresses.

If an IPv6 address contains an embedded IPv4 address, the rule is applied to that IPv4 address.
"""

import ipaddress
import socket
import threading
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

Resolve = Callable[[str, int], Iterable[str]]
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_6TO4 = ipaddress.ip_network("2002::/16")
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
"""The range of global unicast addresses. Python also considers some addresses outside this range global: old formats
with an embedded IPv4 address.
"""


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host name, from the resolver of the operating system."""
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def is_public(address: str) -> bool:
    """Return whether `address` is publicly routable. If it embeds an IPv4 address, that address is checked."""
    try:
        parsed: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address):
        parsed = _unwrap(parsed)
    if isinstance(parsed, ipaddress.IPv6Address) and parsed not in _GLOBAL_UNICAST:
        return False
    return parsed.is_global and not parsed.is_multicast


def _unwrap(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if address in _6TO4:
        return ipaddress.IPv4Address(int(address) >> 80 & 0xFFFFFFFF)
    return address


def is_loopback(address: str) -> bool:
    """Return whether `address` is a loopback address."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def is_loopback_url(url: str) -> bool:
    """Return whether `url` is plain http to a loopback address or `localhost`."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    return parts.scheme == "http" and (host == "localhost" or is_loopback(host))


def resolve_within(host: str, port: int, resolver: Resolve, within_s: float) -> list[str] | None:
    """Return the addresses of a host name, or None if the resolver takes longer than `within_s`.

    The operating system's resolver has no timeout. Therefore it runs in a thread that is abandoned after `within_s`.
    """
    results: list[list[str]] = []

    def look_up() -> None:
        try:
            results.append(list(resolver(host, port)))
        except (OSError, ValueError):
            results.append([])

    thread = threading.Thread(target=look_up, daemon=True)
    thread.start()
    thread.join(within_s)
    return results[0] if results else None
