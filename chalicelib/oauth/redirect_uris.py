"""Redirect URIs: which can be registered, and when the one of a request matches.

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

# Only the characters of RFC 3986: browsers and servers could interpret any other differently.
_PLAIN = re.compile(r"[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=%]+")
# A name or an address and an optional port. It is sent in a header, and urlsplit finds `::1` in `evil.example[::1]`.
_HOST = re.compile(r"([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
# A host and port without a scheme, like localhost:3000/cb: urlsplit takes the host for the scheme.
_SCHEMELESS = re.compile(r"[^:/?]*:[0-9]{1,5}([/?].*)?")
# The parts of a loopback URI before, in and after the port.
_LOOPBACK = re.compile(r"((?i:http://(?:127\.0\.0\.1|\[::1\]|localhost)))(?::([0-9]{1,5}))?((?:[/?].*)?)")


class BadRedirectURI(errors.InvalidRequest):
    """A redirect URI that can't be registered, or too many or too few."""


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
    """Return whether any app on the device can receive the redirect: consent isn't remembered then (RFC 8252 §8.6)."""
    parts = urlsplit(uri)
    return parts.scheme != "https"


def origin(uri: str) -> str:
    """Return the origin, or the private-use scheme, that the consent page shows."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme in ("http", "https") else f"{parts.scheme}:"


def recipient_of(uri: str) -> str:
    """Return the recipient of a redirect, on which a remembered consent depends.

    This is the origin, on a loopback address without the port, which varies; the whole URI for a private-use scheme.
    """
    parts = urlsplit(uri)
    if parts.scheme == "https":
        return f"https://{parts.netloc.lower()}"
    return f"http://{parts.hostname}" if parts.scheme == "http" else uri


def _split(uri: str) -> SplitResult | None:
    """Return the parts of an absolute URI without user information and fragment, None for any other text."""
    if len(uri) > LENGTH_MAX or not _PLAIN.fullmatch(uri):
        return None
    try:
        parts = urlsplit(uri)
        _ = parts.port  # raises for a port above 65535
    except ValueError:
        return None
    plain = not parts.netloc or _HOST.fullmatch(parts.netloc)
    return parts if parts.scheme and plain else None


def _is_port(digits: str | None) -> bool:
    """Return whether a port, if there is one, has no leading zero and is at most 65535."""
    return digits is None or (digits[0] != "0" and int(digits) < 65_536)


def _escape(uri: str) -> str:
    return ascii(uri[:80])
