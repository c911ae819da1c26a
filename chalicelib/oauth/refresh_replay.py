"""The response to a client's last refresh, stored in case the client didn't receive it. It is encrypted with a key that
is derived from the refresh token.
"""

import json

from chalicelib.core import sealed

_PURPOSE = "latchkey sealed refresh response, version 1"


def seal(response: dict[str, object], secret: str) -> bytes:
    """Return `response` encrypted under a key derived from `secret`."""
    return sealed.seal(json.dumps(response).encode(), secret, purpose=_PURPOSE)


def unseal(box: bytes, secret: str) -> dict[str, object] | None:
    """Return the response that `seal` encrypted; None if it was encrypted with another secret."""
    plain = sealed.unseal(box, secret, purpose=_PURPOSE)
    if plain is None:
        return None
    response: dict[str, object] = json.loads(plain)
    return response
