"""The SSRF rule: which addresses a URL of a caller's may lead to. Only those that all of the internet can reach.

An IPv4 address inside an IPv6 one counts as what it stands for.
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
"""All that is assigned. Beyond it lie older ways of writing an IPv4 address, which Python takes for global."""


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a name, by the system's resolver."""
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


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


def is_loopback(address: str) -> bool:
    """Return whether `address` is of this very machine."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def is_on_this_machine(url: str) -> bool:
    """Tell whether `url` is plain http to this very machine, by its address or as `localhost`."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    return parts.scheme == "http" and (host == "localhost" or is_loopback(host))


def resolved(host: str, port: int, resolver: Resolve, within_s: float) -> list[str] | None:
    """Return the addresses of a name, or None when that takes too long.

    The system's resolver can't be told to hurry, only left alone.
    """
    answers: list[list[str]] = []

    def ask() -> None:
        try:
            answers.append(list(resolver(host, port)))
        except (OSError, ValueError):
            answers.append([])

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(within_s)
    return answers[0] if answers else None
