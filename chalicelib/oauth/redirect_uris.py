"""Where an authorization may lead: which redirect URIs can be registered, and when one that is asked for is the same.

Compared to the letter (RFC 9700 §2.1), but for the port of a loopback address, which a native app can't know beforehand
(RFC 8252 §7.3).
"""

import re
from collections.abc import Iterable
from urllib.parse import SplitResult, urlsplit

from chalicelib.core import errors
from chalicelib.oauth import redirect_schemes

LENGTH_MAX = 2_000
COUNT_MAX = 10
LOOPBACK = ("127.0.0.1", "::1", "localhost")

# RFC 3986 characters only: what a browser and a server could read differently can't be registered.
_PLAIN = re.compile(r"[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=%]+")
# A name or an address and maybe a port: this goes into a header, and urlsplit sees `::1` in `evil.example[::1]`.
_PLACE = re.compile(r"([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
# A place without a scheme, like localhost:3000/cb, whose name would be taken for one.
_SCHEMELESS = re.compile(r"[^:/?]*:[0-9]{1,5}([/?].*)?")
# What stands before, in and after the port of a loopback address.
_LOOPBACK = re.compile(r"((?i:http://(?:127\.0\.0\.1|\[::1\]|localhost)))(?::([0-9]{1,5}))?((?:[/?].*)?)")


class BadRedirectURI(errors.InvalidRequest):
    """A redirect URI that can't be registered, or too many or too few of them."""


def registrable(uri: str) -> str:
    """Return `uri` when it may be registered.

    Raises BadRedirectURI: https anywhere, http on loopback only, or a scheme that is an application's own (see
    `redirect_schemes`); no fragment (RFC 6749 §3.1.2), no user information.
    """
    parts = _split(uri)
    if parts is None:
        raise BadRedirectURI(f"A redirect URI must be absolute and plain, without a fragment: {_shown(uri)}.")
    if parts.scheme == "https" and parts.netloc:
        return uri
    if parts.scheme == "http" and parts.hostname in LOOPBACK:
        return uri
    if redirect_schemes.is_private_use(parts.scheme) and not _SCHEMELESS.fullmatch(uri):
        return uri
    raise BadRedirectURI(
        f"A redirect URI must use https, http on 127.0.0.1, [::1] or localhost, or a scheme of the application's own,"
        f" like com.example.app: {_shown(uri)}."
    )


def is_one_of(asked: str, registered: Iterable[str]) -> bool:
    """Return whether the redirect URI `asked` for is among those that are `registered`."""
    return any(matches(asked, each) for each in registered)


def matches(asked: str, registered: str) -> bool:
    """Tell whether the redirect URI `asked` for is the `registered` one."""
    if asked == registered:
        return True
    left, right = _LOOPBACK.fullmatch(asked), _LOOPBACK.fullmatch(registered)
    if left is None or right is None or _split(asked) is None or not _is_port(left[2]):
        return False
    return (left[1], left[3]) == (right[1], right[3])


def is_shared_with_other_apps(uri: str) -> bool:
    """Tell whether any app of a machine may listen there: consent is then asked each time (RFC 8252 §8.6)."""
    parts = urlsplit(uri)
    return parts.scheme != "https"


def origin(uri: str) -> str:
    """Return what a person is told of the place: an origin, or a private scheme."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme in ("http", "https") else f"{parts.scheme}:"


def place(uri: str) -> str:
    """Return who is answered at a redirect URI, for telling whether that changed.

    An origin; without the port on loopback, where it may be any; the whole URI where a scheme has no origins.
    """
    parts = urlsplit(uri)
    if parts.scheme == "https":
        return f"https://{parts.netloc.lower()}"
    return f"http://{parts.hostname}" if parts.scheme == "http" else uri


def _split(uri: str) -> SplitResult | None:
    """Return the parts of an absolute URI without user information and fragment, None of anything else."""
    if len(uri) > LENGTH_MAX or not _PLAIN.fullmatch(uri):
        return None
    try:
        parts = urlsplit(uri)
        _ = parts.port  # one beyond 65535 is found only by asking for it
    except ValueError:
        return None
    plain = not parts.netloc or _PLACE.fullmatch(parts.netloc)
    return parts if parts.scheme and plain else None


def _is_port(digits: str | None) -> bool:
    """Return whether a port, if there is one, is written as every program writes it, and can be listened on."""
    return digits is None or (digits[0] != "0" and int(digits) < 65_536)


def _shown(uri: str) -> str:
    return ascii(uri[:80])
