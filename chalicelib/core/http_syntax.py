"""Parse HTTP field values (RFC 9110 §5.6) in linear time. Only the ASCII characters that the RFC allows are accepted.

Python's `strip`, `isdigit`, `int` and regular expression classes accept the spaces and digits of every script, and HTTP
doesn't. If two parsers read a value differently, this is a security risk.
"""

import re

OWS = " \t"
"""Optional whitespace (§5.6.3): the only characters to strip from a field value."""
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_DIGITS_MAX = 18
"""The maximum number of digits of an integer. No value here needs more, and 18 digits fit in 64 bits."""


def trim(text: str) -> str:
    """Return a field value without the whitespace around it."""
    return text.strip(OWS)


def is_token(text: str) -> bool:
    """Return whether `text` is a token (§5.6.2), such as the name of a field or a cookie."""
    return _TOKEN.fullmatch(text) is not None


def parse_integer(text: str) -> int | None:
    """Return the integer of 1 to 18 ASCII digits, or None if `text` contains anything else, such as a sign."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX else None


def members(value: str) -> list[str]:
    """Return the elements of a comma-separated list (§5.6.1), without empty ones."""
    return [member for each in value.split(",") if (member := each.strip(OWS))]


def media_type(content_type: str) -> str:
    """Return the media type of a Content-Type field in lower case, without parameters (§8.3.1)."""
    return content_type.partition(";")[0].strip(OWS).lower()


def credentials(authorization: str) -> tuple[str, str]:
    """Return the authentication scheme in lower case, and the credentials after it (§11.4). A missing part is ""."""
    text = authorization.strip(OWS)
    # The scheme ends at the first space or tab.
    scheme = text.replace("\t", " ").partition(" ")[0]
    return scheme.lower() if scheme.isascii() else "", text[len(scheme) :].strip(OWS)
