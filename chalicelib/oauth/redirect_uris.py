"""Redirect URIs: which can be registered, and when the one in a request matches a registered one.

They must match exactly (RFC 9700 §2.1), except for the port of a loopback address, which a native app can't know in
advance (RFC 8252 §7.3).
"""

import re
from collections.abc import Iterable
from urllib.parse import SplitResult, urlsplit

from chalicelib.core import errors
from chalicelib.oauth import redirect_schemes

LENGTH_MAX = 2_000
COUNT_MAX = 10
LOOPBACK = ("127.0.0.1", "::1", "localhost")

# Only the characters of RFC 3986, because browsers and servers could interpret any other differently.
_PLAIN = re.compile(r"[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=%]+")
# A host name or an address, and an optional port. The pattern is needed because the host is sent in a header, and
# urlsplit finds `::1` in `evil.example[::1]`.
_HOST = re.compile(r"([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
# A host and port without a scheme, like localhost:3000/cb, in which urlsplit takes the host for the scheme.
_SCHEMELESS = re.compile(r"[^:/?]*:[0-9]{1,5}([/?].*)?")
# A loopback URI in three parts: before the port, the port, and after it.
_LOOPBACK = re.compile(r"((?i:http://(?:127\.0\.0\.1|\[::1\]|localhost)))(?::([0-9]{1,5}))?((?:[/?].*)?)")


class BadRedirectURI(errors.InvalidRequest):
    """A redirect URI can't be registered, or there are too many or too few."""


def validate(uri: str) -> str:
    """Return `uri` if it can be registered, else raise BadRedirectURI.

    Allowed are https, http on a loopback address, and private-use schemes (see `redirect_schemes`), without a fragment
    (RFC 6749 §3.1.2) and without user information.
    """
    parts = _split(uri)
    if parts is None:
        raise BadRedirectURI(f"A redirect URI must be absolute and plain, without a fragment: {_escape(uri)}.")
    if parts.scheme == "https" and parts.netloc:
        return uri
    if parts.scheme == "http" and parts.hostname in LOOPBACK:
        return uri
    if redirect_schemes.is_private_use(parts.scheme) and not _SCHEMELESS.fullmatch(uri):
        return uri
    raise BadRedirectURI(
        f"A redirect URI must use https, http on 127.0.0.1, [::1] or localhost, or a scheme of the application's own,"
        f" like com.example.app: {_escape(uri)}."
    )


def matches_any(requested: str, registered: Iterable[str]) -> bool:
    """Return whether the `requested` redirect URI matches one of the `registered` ones."""
    return any(matches(requested, each) for each in registered)


def matches(requested: str, registered: str) -> bool:
    """Return whether the `requested` redirect URI matches the `registered` one."""
    if requested == registered:
        return True
    left, right = _LOOPBACK.fullmatch(requested), _LOOPBACK.fullmatch(registered)
    if left is None or right is None or _split(requested) is None or not _is_port(left[2]):
        return False
    return (left[1], left[3]) == (right[1], right[3])


def is_shared_with_other_apps(uri: str) -> bool:
    """Return whether any app on the device can receive the redirect.

    In that case consent isn't remembered (RFC 8252 §8.6).
    """
    parts = urlsplit(uri)
    return parts.scheme != "https"


def origin(uri: str) -> str:
    """Return the origin, or the private-use scheme, that the consent page shows."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme in ("http", "https") else f"{parts.scheme}:"


def recipient_of(uri: str) -> str:
    """Return the recipient of a redirect, on which a remembered consent depends.

    The recipient is the origin, on a loopback address without the port, which varies. For a private-use scheme it is
    the whole URI.
    """
    parts = urlsplit(uri)
    if parts.scheme == "https":
        return f"https://{parts.netloc.lower()}"
    return f"http://{parts.hostname}" if parts.scheme == "http" else uri


def _split(uri: str) -> SplitResult | None:
    """Return the parts of an absolute URI without user information and fragment; None for any other text."""
    if len(uri) > LENGTH_MAX or not _PLAIN.fullmatch(uri):
        return None
    try:
        parts = urlsplit(uri)
        _ = parts.port  # for a port above 65535, reading it raises ValueError
    except ValueError:
        return None
    plain = not parts.netloc or _HOST.fullmatch(parts.netloc)
    return parts if parts.scheme and plain else None


def _is_port(digits: str | None) -> bool:
    """Return whether a port, if there is one, has no leading zero and is at most 65535."""
    return digits is None or (digits[0] != "0" and int(digits) < 65_536)


def _escape(uri: str) -> str:
    return ascii(uri[:80])
