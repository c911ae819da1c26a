"""The type of each setting: a description, an example, and a rule that is checked when the process starts.

Without the check, a value that is nearly valid would cause an error only later, in a user's request. Examples are an
impossible header, an origin that no browser sends, and an unusable sender address. To save time, a pattern is compiled
and a module is imported only if its setting has a value.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from chalicelib.core import http_syntax

DAYS_MAX = 3_650
ATTEMPTS_MAX = 1_000_000
HOST_MAX = 253
LOCAL_PART_MAX = 64
PORT_MAX = 65_535
_LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_PATH = r"(?:/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})+)*"
_ATEXT = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]"
_SENDER_NAME = rf"""(?:"(?:[ !#-\[\]-~]|\\["\\])+"|(?:{_ATEXT}|[. ])+)"""


class SettingType(NamedTuple):
    """The type of a setting. `is_valid` returns a true value if a text is valid."""

    description: str
    example: str
    is_valid: Callable[[str], object]


def matches(pattern: str) -> Callable[[str], object]:
    """Return a rule by which the whole value must match a pattern."""
    return lambda text: re.fullmatch(pattern, text)


def enum(*choices: str) -> SettingType:
    """Return the type of a setting with a fixed list of values."""
    return SettingType(f"{', '.join(choices[:-1])} or {choices[-1]}", choices[0], lambda text: text in choices)


def integer(minimum: int, maximum: int, example: int) -> SettingType:
    """Return the type of an integer setting."""
    return SettingType(
        f"a whole number from {minimum} to {maximum}",
        str(example),
        lambda text: (number := http_syntax.parse_integer(text)) is not None and minimum <= number <= maximum,
    )


def is_public_url(text: str) -> bool:
    """Return whether `text` can be the public URL of the service: https, or http on the loopback interface."""
    scheme, _, rest = text.partition("://")
    authority, slash, path = rest.partition("/")
    is_safe = scheme == "https" or (scheme == "http" and _host_of(authority) in ("localhost", "127.0.0.1", "[::1]"))
    has_dots = {".", ".."} & set(path.split("/"))
    return is_safe and _is_authority(scheme, authority) and not has_dots and bool(re.fullmatch(_PATH, slash + path))


def is_origin(text: str) -> bool:
    """Return whether a text is an origin as browsers send it: in lower case, without a path or a default port."""
    scheme, _, authority = text.partition("://")
    return scheme in ("https", "http") and _is_authority(scheme, authority)


def is_resource(text: str) -> bool:
    """Return whether a text is a resource indicator (RFC 8707 §2): a URL or a URN without a fragment."""
    scheme, _, rest = text.partition(":")
    if scheme == "urn":
        return bool(re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9-]{0,30}[a-zA-Z0-9]:[!-\"$-;=?-~]+", rest))
    authority = re.split("[/?]", rest.removeprefix("//"))[0]
    is_plain = re.fullmatch(r"//[!$-;=?-\[\]_a-z~]+", rest, re.IGNORECASE)
    return scheme in ("https", "http") and bool(is_plain) and _is_authority(scheme, authority, any_port=True)


def are_resources(text: str) -> bool:
    """Return whether a text is a list of resource indicators separated by spaces."""
    return all(map(is_resource, text.split()))


def is_contact(text: str) -> bool:
    """Return whether a text is a contact for security.txt (RFC 9116 §2.5.3)."""
    if text.startswith("https://"):
        authority = re.split("[/?#]", text.removeprefix("https://"))[0]
        return text.isascii() and text.isprintable() and " " not in text and _is_authority("https", authority.lower())
    if text.startswith("tel:"):
        return bool(re.fullmatch(r"tel:\+?[0-9][0-9.()-]*", text))
    return is_mailbox(text.removeprefix("mailto:"))


def is_mailbox(text: str) -> bool:
    """Return whether a text is an email address: a dot-atom (RFC 5322 §3.2.3) at a domain with a dot."""
    local, _, domain = text.rpartition("@")
    is_domain = len(domain) <= HOST_MAX and re.fullmatch(rf"(?:{_LABEL}\.)+{_LABEL}", domain, re.IGNORECASE)
    return bool(is_domain and len(local) <= LOCAL_PART_MAX and re.fullmatch(rf"{_ATEXT}+(?:\.{_ATEXT}+)*", local))


def is_sender(text: str) -> bool:
    """Return whether a text is an email sender: an address, or a name followed by an address in angle brackets."""
    if not text.endswith(">"):
        return is_mailbox(text)
    name, _, address = text[:-1].rpartition("<")
    return is_mailbox(address) and bool(re.fullmatch(_SENDER_NAME, name.strip(" ")))


def _host_of(authority: str) -> str:
    return re.sub(":[0-9]*$", "", authority)


def _is_authority(scheme: str, authority: str, *, any_port: bool = False) -> bool:
    """Return whether a text is a host in lower case, optionally with a port, without user information or empty
    parts.
    """
    host = _host_of(authority)
    if authority != host:
        port = http_syntax.parse_integer(authority.removeprefix(f"{host}:"))
        by_default = {"https": 443, "http": 80}[scheme]
        if port is None or not 0 < port <= PORT_MAX or (port == by_default and not any_port):
            return False
    if host.startswith("["):
        return _is_ipv6(host)
    last = host.rpartition(".")[2]
    is_name = len(host) <= HOST_MAX and bool(re.fullmatch(rf"(?:{_LABEL}\.)*{_LABEL}", host))
    return is_name and (not last.isdigit() or _is_ipv4(host))


def _is_ipv4(host: str) -> bool:
    parts = host.split(".")
    return len(parts) == 4 and all(len(part) <= 3 and part.isdigit() and int(part) <= 255 for part in parts)


def _is_ipv6(host: str) -> bool:
    from ipaddress import IPv6Address

    try:
        return f"[{IPv6Address(host[1:-1])}]" == host
    except ValueError:
        return False


_FILE = SettingType("a path", "/var/lib/latchkey", str.isprintable)

OF = {
    "stage": SettingType(
        "1 to 20 lower-case letters, digits and hyphens, a letter first", "dev", matches("[a-z][a-z0-9-]{0,19}")
    ),
    "brand": SettingType("1 to 10 lower-case letters and digits, a letter first", "lk", matches("[a-z][a-z0-9]{0,9}")),
    "key_kind": enum("live", "test"),
    "public_url": SettingType(
        "an https URL (on this machine http, too) in lower case, without a default port, user, query or fragment",
        "https://api.example.com",
        is_public_url,
    ),
    "allowed_origin": SettingType(
        "* or one origin in lower case, without a default port",
        "https://app.example.com",
        lambda text: text == "*" or is_origin(text),
    ),
    "burst_window_s": SettingType(
        "a divisor of 60",
        "10",
        lambda text: (number := http_syntax.parse_integer(text)) and number <= 60 and 60 % number == 0,
    ),
    "client_ip_header": SettingType("the name of a header", "CloudFront-Viewer-Address", http_syntax.is_token),
    "resources": SettingType(
        "URLs or URNs without fragments, a space between them", "https://files.example.com", are_resources
    ),
    "registration": SettingType(
        "open, closed, or the SHA-256 of an initial token in 64 lower-case hex digits",
        "closed",
        matches("open|closed|[0-9a-f]{64}"),
    ),
    "mail_from": SettingType(
        "an address, with or without a name, in ASCII",
        "Acme <keys@example.com>",
        is_sender,
    ),
    "mail_folder": _FILE,
    "stage_key_file": _FILE,
    "events_kept_days": integer(1, DAYS_MAX, 90),
    "log_in_attempts_per_email": integer(1, ATTEMPTS_MAX, 20),
    "log_in_attempts_per_network": integer(1, ATTEMPTS_MAX, 300),
    "wire": enum("lean", "botocore"),
    "log_level": enum("INFO", "DEBUG", "WARNING", "ERROR"),
    "security_contact": SettingType(
        "an email address, or an https:, mailto: or tel: URI", "mailto:security@example.com", is_contact
    ),
}
"""The type of each setting. An optional setting may also be empty."""
