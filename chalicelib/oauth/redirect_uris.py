"""Redirect URIs: which URIs can be registered, and when the URI in a request matches a registered one.

The two must match exactly (RFC 9700 §2.1), except for the port of a loopback address, which a native app can't know in
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

# Only the characters of RFC 3986 are allowed, because browsers and servers could interpret others differently.
_PLAIN = re.compile(r"[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=%]+")
# A host name or an address, and an optional port. This pattern is needed because the host is sent in a header, and
# because urlsplit reads `evil.example[::1]` as the host `::1`.
_HOST = re.compile(r"([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
# A host and port without a scheme, such as localhost:3000/cb. urlsplit would read the host as the scheme.
_SCHEMELESS = re.compile(r"[^:/?]*:[0-9]{1,5}([/?].*)?")
# A loopback URI. The groups are the part before the port, the port, and the part after it.
_LOOPBACK = re.compile(r"((?i:http://(?:127\.0\.0\.1|\[::1\]|localhost)))(?::([0-9]{1,5}))?((?:[/?].*)?)")


class BadRedirectURI(errors.InvalidRequest):
    """A redirect URI can't be registered, or the number of redirect URIs is too small or too large."""


def validate(uri: str) -> str:
    """Return `uri` if it can be registered, else raise BadRedirectURI.

    The scheme may be https, http on a loopback address, or a private-use scheme (see `redirect_schemes`). The URI must
    have no fragment (RFC 6749 §3.1.2) and no user information.
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

    If so, consent isn't remembered (RFC 8252 §8.6).
    """
    parts = urlsplit(uri)
    return parts.scheme != "https"


def origin(uri: str) -> str:
    """Return the origin, or the private-use scheme, that the consent page shows."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme in ("http", "https") else f"{parts.scheme}:"


def recipient_of(uri: str) -> str:
    """Return the recipient of a redirect. A remembered consent is valid only for its recipient.

    The recipient is the origin. On a loopback address, the port is omitted, because it varies. For a private-use
    scheme, the recipient is the whole URI.
    """
    parts = urlsplit(uri)
    if parts.scheme == "https":
        return f"https://{parts.netloc.lower()}"
    return f"http://{parts.hostname}" if parts.scheme == "http" else uri


def _split(uri: str) -> SplitResult | None:
    """Return the parts of an absolute URI; None if `uri` isn't one, or has a fragment or user information."""
    if len(uri) > LENGTH_MAX or not _PLAIN.fullmatch(uri):
        return None
    try:
        parts = urlsplit(uri)
        _ = parts.port  # raises ValueError for a port above 65535
    except ValueError:
        return None
    plain = not parts.netloc or _HOST.fullmatch(parts.netloc)
    return parts if parts.scheme and plain else None


def _is_port(digits: str | None) -> bool:
    """Return whether a port has no leading zero and is at most 65535. A missing port is accepted, too."""
    return digits is None or (digits[0] != "0" and int(digits) < 65_536)


def _escape(uri: str) -> str:
    return ascii(uri[:80])
