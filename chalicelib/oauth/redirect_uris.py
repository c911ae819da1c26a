"""Where an authorization may lead: which redirect URIs can be registered, and when one that is asked for is the same.

Exact string comparison (RFC 9700 §2.1), but for the port of a loopback address, which a native app can't know
beforehand (RFC 8252 §7.3).
"""

import re
from urllib.parse import SplitResult, urlsplit

from chalicelib.core import errors

LENGTH_MAX = 2_000
COUNT_MAX = 10
LOOPBACK = ("127.0.0.1", "::1", "localhost")

# RFC 3986 characters only: what a browser and a server could read differently can't be registered.
_PLAIN = re.compile(r"[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=%]+")
# A name or an address and maybe a port: this goes into a header, and urlsplit sees `::1` in `evil.example[::1]`.
_PLACE = re.compile(r"([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
_PRIVATE_SCHEME = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+")


def registrable(uri: str) -> str:
    """Return `uri` when it may be registered.

    Raises InvalidRequest: https anywhere, http on loopback only, or a private scheme in reverse-domain form (RFC 8252
    §7.1); no fragment (RFC 6749 §3.1.2), no user information.
    """
    parts = _split(uri)
    if parts is None:
        raise errors.InvalidRequest(f"A redirect URI must be absolute and plain, without a fragment: {_shown(uri)}.")
    if parts.scheme == "https" and parts.netloc:
        return uri
    if parts.scheme == "http" and parts.hostname in LOOPBACK:
        return uri
    if _PRIVATE_SCHEME.fullmatch(parts.scheme):
        return uri
    raise errors.InvalidRequest(
        f"A redirect URI must use https, http on 127.0.0.1, [::1] or localhost, or a private scheme with a dot in it"
        f" like com.example.app: {_shown(uri)}."
    )


def matches(asked: str, registered: str) -> bool:
    """Tell whether the redirect URI `asked` for is the `registered` one."""
    if asked == registered:
        return True
    left, right = _split(asked), _split(registered)
    if left is None or right is None or left.scheme != "http" or left.hostname not in LOOPBACK:
        return False
    return _without_port(left) == _without_port(right)


def is_shared_with_other_apps(uri: str) -> bool:
    """Tell whether any app of a machine may listen there: consent is then asked each time (RFC 8252 §8.6)."""
    parts = urlsplit(uri)
    return parts.scheme != "https"


def origin(uri: str) -> str:
    """Return what a person is told of the place: an origin, or a private scheme."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme in ("http", "https") else f"{parts.scheme}:"


def policy_source(uri: str) -> str:
    """Return what a Content-Security-Policy calls the place.

    It has no word for an IPv6 address: browsers ignore one, and block the way to it. There the scheme has to do.
    """
    parts = urlsplit(uri)
    return f"{parts.scheme}:" if "[" in parts.netloc else origin(uri)


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


def _without_port(parts: SplitResult) -> tuple[object, ...]:
    return parts.scheme, parts.hostname, parts.path, parts.query


def _shown(uri: str) -> str:
    return ascii(uri[:80])
