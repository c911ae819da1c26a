"""The client address and the base URL of a request, taken from API Gateway's context because any client can forge a
header.
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
    """Return the rate limit subject of an anonymous caller: the IPv4 address, or the IPv6 /64 of one customer."""
    return f"ip_{network(source_ip(request))}"


def source_ip(request: Request) -> str:
    """Return the client address: API Gateway's or, behind the operator's own CDN, the one in the configured header.

    If that header contains no address, API Gateway's is used. This is the address of the CDN's server, so all callers
    behind that server then share one limit.
    """
    return _address_from_cdn(request) or str(request.context["identity"]["sourceIp"])


def note_unreadable(request: Request) -> None:
    """Count a request whose CDN header contains no address, in the metric `ClientAddressUnreadable`."""
    if settings.current().client_ip_header in request.headers and _address_from_cdn(request) is None:
        telemetry.count("ClientAddressUnreadable")


def every(request: Request, name: str) -> list[str]:
    """Return every value of a header: clients and proxies may send it in several lines (RFC 9110 §5.2)."""
    sent = request.to_original_event().get("multiValueHeaders") or {}
    values = [value for given, values in sent.items() if given.lower() == name for value in values]
    return values or ([str(request.headers[name])] if name in request.headers else [])


def joined(request: Request, name: str, separator: str = ", ") -> str:
    """Return the values of a list header, joined by `separator`; "" when the header is absent."""
    return separator.join(every(request, name))


def only(request: Request, name: str) -> str:
    """Return the only value of a header; "" if it is absent.

    Raises InvalidRequest for two different values, because another server could use the other value.
    """
    values = set(every(request, name))
    if len(values) > 1:
        raise errors.InvalidRequest(f"Send one {name.title()} header.")
    return values.pop() if values else ""


def opens_a_page(request: Request) -> bool:
    """Return whether a browser opened this path as a page. Other clients may accept HTML among other types."""
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
    """Return the networks for which costly requests from `address` are counted: the IPv4 address, or the IPv6 /64 and
    /48.

    One customer may have a whole /48, which contains 65,536 networks of size /64.
    """
    around = neighbourhood(address)
    return (network(address), around) if around.endswith("/48") else (network(address),)


@lru_cache(maxsize=4_096)
def neighbourhood(address: str) -> str:
    """Return the network that is recorded as a credential's source: the IPv4 /24 or the IPv6 /48 of `address`.

    This is wider than the network that limits anonymous callers. Another address of the same provider, or another /64
    of the same phone, counts as the same place, but a thief's address elsewhere doesn't. Returns "" if `address` is not
    an IP address.
    """
    parsed = _parse(address)
    if isinstance(parsed, IPv6Address):
        return f"{IPv6Address(int(parsed) >> 80 << 80)}/48"
    return "" if parsed is None else f"{IPv4Address(int(parsed) >> 8 << 8)}/24"


def base_url(request: Request) -> str:
    """Return the base URL of this API without a trailing slash: the configured one, or else one from API Gateway's
    context.

    On an execute-api domain the path in the context starts with the stage, on a custom domain with the base path
    mapping.
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
    # The CDN appends the address that it saw; the client sent everything before it.
    return _parse_cdn_address(str(request.headers[trusted]).rpartition(",")[2][:ADDRESS_MAX], trusted.lower())


@lru_cache(maxsize=4_096)
def _parse_cdn_address(text: str, header: str) -> str | None:
    """Return the address in a CDN's header, without port, brackets and zone; None if there is none.

    CloudFront writes the port after an IPv6 address without brackets, so the last group of its value is never part of
    the address.
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
        # `int` omits the zone, which names an interface of this machine and not of the client.
        number = int(parsed)
        return parsed.ipv4_mapped or (IPv4Address(number & 0xFFFFFFFF) if number >> 32 == _NAT64 else parsed)
    return parsed
