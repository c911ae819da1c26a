"""What counts as one email address: the form under which it is claimed and asked for."""

import re
import unicodedata

from chalicelib.core import errors

_SHAPE = re.compile(r"[^\s@<>\"(),:;\\\[\]]{1,64}@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")
LENGTH_MAX = 254


def normalised(address: str) -> str:
    """Return `address` in lower case, its domain in ASCII: two spellings of one mailbox claim the same.

    Raises InvalidRequest when it can't be an address. Stricter than RFC 5321: no quoted local parts, no address
    literals.
    """
    folded = unicodedata.normalize("NFKC", address.strip()).casefold()
    local, _, domain = folded.rpartition("@")
    try:
        candidate = f"{local}@{domain.encode('idna').decode()}"
        candidate.encode()
    except UnicodeError:
        candidate = ""
    if len(candidate) > LENGTH_MAX or not _SHAPE.fullmatch(candidate) or _has_controls(candidate):
        raise errors.InvalidRequest("email must be an address like name@example.com.")
    return candidate


def _has_controls(text: str) -> bool:
    return any(unicodedata.category(character).startswith("C") for character in text)
