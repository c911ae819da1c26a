"""Determine the client address and the base URL of a request.

Both come from API Gateway's context, because any client can forge a header. The exceptions are configured by the
operator: the header that a CDN sets, and the public URL.
"""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from chalice.app import Request

from chalicelib.core import errors, http_syntax, settings, telemetry

ADDRESS_MAX = 100
PORT_DIGITS_MAX = 5
PORT_ALWAYS = "cloudfront-viewer-address"
_NAT64 = int(IPv6Address("64:ff9b::")) >> 32


def subject(request: Request) -> str:
    """Return the rate limit subject of an anonymous caller: the IPv4 address, or the IPv6 /64 network, which usually
    belongs to one customer.
    """
    return f"ip_{network(source_ip(request))}"


def source_ip(request: Request) -> str:
    """Return the client address. It is API Gateway's source IP or, behind the operator's own CDN, the address in the
    configured header.

    If that header contains no address, API Gateway's source IP is used. That is then the address of a CDN server, so
    all callers behind that server share one limit.
    """
    return _address_from_cdn(request) or str(request.context["identity"]["sourceIp"])


def note_unreadable(request: Request) -> None:
    """Count a request whose CDN header contains no address, in the metric `ClientAddressUnreadable`."""
    if settings.current().client_ip_header in request.headers and _address_from_cdn(request) is None:
        telemetry.count("ClientAddressUnreadable")


def every(request: Request, name: str) -> list[str]:
    """Return every value of a header: clients and proxies may send one header in several lines (RFC 9110 §5.2)."""
    sent = request.to_original_event().get("multiValueHeaders") or {}
    values = [value for given, values in sent.items() if given.lower() == name for value in values]
    return values or ([str(request.headers[name])] if name in request.headers else [])


def joined(request: Request, name: str, separator: str = ", ") -> str:
    """Return the values of a list header, joined by `separator`; "" when the header is absent."""
    return separator.join(every(request, name))


def only(request: Request, name: str) -> str:
    """Return the only value of a header; "" if it is absent.

    Raises InvalidRequest if the header has two different values, because another server that handles this request could
    use the other value.
    """
    values = set(every(request, name))
    if len(values) > 1:
        raise errors.InvalidRequest(f"Send one {name.title()} header.")
    return values.pop() if values else ""


def opens_a_page(request: Request) -> bool:
    """Return whether a browser opened this path as a page. On paths for programs, an Accept header that lists HTML
    isn't sufficient, because other clients may send such a header, too.
    """
    if request.headers.get("sec-fetch-dest") == "document":
        return True
    is_for_programs = request.path.startswith(("/v1/", "/oauth/")) or request.path in ("/health", "/openapi.json")
    return not is_for_programs and "text/html" in joined(request, "accept")


def network(address: str) -> str:
    """Return the network for which requests from `address` are counted; `unknown` if it is not an IP address."""
    parsed = _parse(address)
    if isinstance(parsed, IPv6Address):
        return f"{IPv6Address(int(parsed) >> 64 << 64)}/64"
    return "unknown" if parsed is None else str(parsed)


def networks(address: str) -> tuple[str, ...]:
    """Return the networks for which costly requests from `address` are counted: the IPv4 address, or for IPv6 the /64
    and the /48.

    The /48 is counted because one customer may have a whole /48, and could otherwise use each of its 65,536 /64
    networks.
    """
    around = neighbourhood(address)
    return (network(address), around) if around.endswith("/48") else (network(address),)


@lru_cache(maxsize=4_096)
def neighbourhood(address: str) -> str:
    """Return the network that is recorded as a credential's source: the IPv4 /24 or the IPv6 /48 of `address`.

    This network is larger than the one by which anonymous callers are limited. If a phone's address changes within this
    network, its source therefore stays the same. If a thief uses the credential in another network, that network is a
    new source. Returns "" if `address` is not an IP address.
    """
    parsed = _parse(address)
    if isinstance(parsed, IPv6Address):
        return f"{IPv6Address(int(parsed) >> 80 << 80)}/48"
    return "" if parsed is None else f"{IPv4Address(int(parsed) >> 8 << 8)}/24"


def base_url(request: Request) -> str:
    """Return the base URL of this API without a trailing slash: the configured URL or, if none is configured, a URL
    that is built from API Gateway's context.

    The path in that context starts with the stage on an execute-api domain, and with the base path mapping on a custom
    domain.
    """
    configured = settings.current().public_url
    if configured:
        return configured
    path, resource = str(request.context["path"]), str(request.to_original_event()["path"])
    prefix = path.removesuffix(resource) if path != resource else ""
    return f"https://{request.context['domainName']}{prefix}"


def _address_from_cdn(request: Request) -> str | None:
    trusted = settings.current().client_ip_header
    if not trusted or trusted not in request.headers:
        return None
    # The CDN appends the address from which it received the request. Everything before that address may come from the
    # client.
    return _parse_cdn_address(str(request.headers[trusted]).rpartition(",")[2][:ADDRESS_MAX], trusted.lower())


@lru_cache(maxsize=4_096)
def _parse_cdn_address(text: str, header: str) -> str | None:
    """Return the address in a CDN's header, without port, brackets and zone; None if the header contains no address.

    CloudFront writes IPv6 addresses without brackets and always appends the port. The last group in CloudFront's header
    is therefore the port, and not part of the address.
    """
    text = http_syntax.trim(text)
    before, _, port = text.rpartition(":")
    has_port = http_syntax.parse_integer(port) is not None and len(port) <= PORT_DIGITS_MAX
    hosts = [text]
    if text.startswith("["):
        hosts = [text[1:-1]] if text.endswith("]") else [before[1:-1]] if has_port and before.endswith("]") else []
    elif has_port and (header == PORT_ALWAYS or before.count(":") in (0, 7)):
        hosts = [before, text]
    parsed = next((address for host in hosts if (address := _parse(host.partition("%")[0])) is not None), None)
    if parsed is None:
        telemetry.warning("client_address_unreadable", header=header)
        return None
    return str(parsed)


def _parse(address: str) -> IPv4Address | IPv6Address | None:
    """Parse an IP address; return None if `address` is not one.

    An IPv4 address that is mapped into IPv6, or translated by NAT64, is returned as IPv4.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    if isinstance(parsed, IPv6Address):
        # The conversion to `int` drops the IPv6 zone, which names a network interface of this machine and doesn't
        # belong to the client's address.
        number = int(parsed)
        return parsed.ipv4_mapped or (IPv4Address(number & 0xFFFFFFFF) if number >> 32 == _NAT64 else parsed)
    return parsed
