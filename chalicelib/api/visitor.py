"""Where a request comes from, and which URL it was sent to: by the gateway's word, never a header anyone can write."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from chalice.app import Request

from chalicelib.core import settings


def subject(request: Request) -> str:
    """Return what a stranger is counted as: the IPv4 address, or the /64 that one IPv6 customer has."""
    return f"ip_{network(source_ip(request))}"


def source_ip(request: Request) -> str:
    """Return the visitor's address; behind the owner's own CDN from the header that the settings name."""
    trusted = settings.current().client_ip_header
    if trusted and trusted in request.headers:
        # The CDN appends what it saw; whatever stands before came from the visitor.
        return str(request.headers[trusted]).rpartition(",")[2].strip()
    return str(request.context["identity"]["sourceIp"])


def network(address: str) -> str:
    """Return the network that `address` is counted by; what is no address counts together as `unknown`."""
    parsed = _parsed(address)
    if isinstance(parsed, IPv6Address):
        return f"{IPv6Address(int(parsed) >> 64 << 64)}/64"
    return "unknown" if parsed is None else str(parsed)


@lru_cache(maxsize=4_096)
def neighbourhood(address: str) -> str:
    """Return the network that a credential is known to be used from: the IPv4 /24 or the IPv6 /48 around `address`.

    Wider than what a stranger is counted by: a provider that hands out another address, or a phone another /64, is
    still the same place, while a thief elsewhere is not. What is no address is "".
    """
    parsed = _parsed(address)
    if isinstance(parsed, IPv6Address):
        return f"{IPv6Address(int(parsed) >> 80 << 80)}/48"
    return "" if parsed is None else f"{IPv4Address(int(parsed) >> 8 << 8)}/24"


def base_url(request: Request) -> str:
    """Return where this API is reached, with no slash at the end: the configured URL, else the gateway's context.

    On an execute-api domain the context's path starts with the stage, on a custom domain with the base path mapping.
    """
    configured = settings.current().public_url
    if configured:
        return configured
    path, resource = str(request.context["path"]), str(request.to_original_event()["path"])
    prefix = path.removesuffix(resource) if path != resource else ""
    return f"https://{request.context['domainName']}{prefix}"


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    """Return an address, an IPv4 one that is written as IPv6 as what it is; None for what is none."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    return (parsed.ipv4_mapped or parsed) if isinstance(parsed, IPv6Address) else parsed
