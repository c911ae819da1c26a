"""The pieces that HTTP's field values are made of (RFC 9110 §5.6), by their own characters and in linear time.

Python's `strip`, `isdigit` and `int`, and the classes of its regular expressions, know the spaces and digits of every
script; no protocol does. What two readers take apart differently is how one of them is deceived.
"""

import re

OWS = " \t"
"""Optional whitespace (§5.6.3): nothing else may be taken off a field value."""
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_DIGITS_MAX = 18
"""More digits than any number here needs, few enough for 64 bits."""


def trimmed(text: str) -> str:
    """Return a field value without the whitespace around it."""
    return text.strip(OWS)


def is_token(text: str) -> bool:
    """Return whether `text` is a token (§5.6.2): the name of a field or cookie, a scheme, a coding."""
    return _TOKEN.fullmatch(text) is not None


def whole(text: str) -> int | None:
    """Return a number of 1 to 18 ASCII digits, None for anything else: no sign, space, underscore or other script."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX else None


def members(value: str) -> list[str]:
    """Return what stands between the commas of a list (§5.6.1), empty members left out."""
    return [member for each in value.split(",") if (member := each.strip(OWS))]


def media_type(content_type: str) -> str:
    """Return the media type in lower case, its parameters left out (§8.3.1)."""
    return content_type.partition(";")[0].strip(OWS).lower()


def credentials(authorization: str) -> tuple[str, str]:
    """Return the scheme, in lower case, and what follows it (§11.4); either is "" when it isn't there."""
    text = authorization.strip(OWS)
    # The scheme ends where the first space or tab is.
    scheme = text.replace("\t", " ").partition(" ")[0]
    return scheme.lower() if scheme.isascii() else "", text[len(scheme) :].strip(OWS)
