"""Decide which URLs an endpoint may have. They must use https and ASCII, and must not contain a private IP address."""

from urllib.parse import urlsplit

from chalicelib.core import errors, ssrf_rule, ssrf_safe_fetch
from chalicelib.webhooks import send_delivery


def check(url: str) -> None:
    """Raise InvalidRequest unless `url` is acceptable. The addresses to which its host name resolves are checked at
    each delivery.
    """
    with errors.about("url"):
        _check(url)


def _check(url: str) -> None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
        if len(host) > ssrf_safe_fetch.HOST_MAX:
            raise ValueError("host name too long")
        host.encode("idna")
    except ValueError:
        raise errors.InvalidRequest("url must be a URL like https://example.com/hooks.") from None
    if send_delivery.is_local() and ssrf_rule.is_loopback_url(url):
        return
    if parts.scheme != "https" or not host:
        raise errors.InvalidRequest("url must be an https URL, like https://example.com/hooks.")
    if "@" in parts.netloc or parts.fragment:
        raise errors.InvalidRequest("url must not contain a user name, a password or a fragment.")
    if not _is_plain(url):
        raise errors.InvalidRequest(
            "url must be ASCII without spaces: write münchen.de as xn--mnchen-3ya.de and a space as %20."
        )
    if _is_address(host) and not ssrf_rule.is_public(host):
        raise errors.InvalidRequest("url must point to a public address.")


def _is_plain(url: str) -> bool:
    return url.isascii() and url.isprintable() and " " not in url


def _is_address(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()
