"""The last answer of a refresh, kept for a client whose connection broke: sealed under the refresh token itself."""

import json

from chalicelib.core import sealed

_PURPOSE = "latchkey sealed refresh answer, version 1"


def seal(answer: dict[str, object], secret: str) -> bytes:
    """Return `answer` encrypted under a key derived from `secret`."""
    return sealed.seal(json.dumps(answer).encode(), secret, purpose=_PURPOSE)


def opened(box: bytes, secret: str) -> dict[str, object] | None:
    """Return what `seal` was given, or None when `secret` isn't the one it was sealed with."""
    plain = sealed.opened(box, secret, purpose=_PURPOSE)
    if plain is None:
        return None
    answer: dict[str, object] = json.loads(plain)
    return answer
