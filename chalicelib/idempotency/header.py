"""The `Idempotency-Key` header (draft-ietf-httpapi-idempotency-key-header-07): an RFC 8941 string, or text without
quotes.
"""

import re
from collections.abc import Iterable

from chalicelib.core.errors import InvalidRequest

LENGTH_MAX = 255
_BARE = re.compile(r"[!#-~]+")
_QUOTED = re.compile(r'"(?:[!#-\[\]-~]|\\["\\])*"')


def read(values: Iterable[str]) -> str:
    """Return the key from a request's headers. A key in quotes equals the same key without quotes.

    More lenient than the draft, because clients of other services send the key without quotes. Raises InvalidRequest
    unless the key has 1 to 255 visible ASCII characters, and if the request contains two different keys.
    """
    keys = {_text(value.strip(" \t")) for value in values}
    if len(keys) != 1:
        raise InvalidRequest("Send one Idempotency-Key.")
    (key,) = keys
    if key is None or not 1 <= len(key) <= LENGTH_MAX:
        raise InvalidRequest(
            f"Idempotency-Key must be 1 to {LENGTH_MAX} visible ASCII characters, bare or as a quoted string."
        )
    return key


def _text(value: str) -> str | None:
    """Return the key in the value of a header, or None when the value is malformed."""
    if _BARE.fullmatch(value):
        return value
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if _QUOTED.fullmatch(value) else None
