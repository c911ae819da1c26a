"""The last answer of a refresh, kept for a client whose connection broke: encrypted under the refresh token itself.

Only who holds that token can open it; our tables hold its digest, which tells nothing of the key (RFC 5869, AES-GCM).
"""

import json
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE_BYTES = 12
_INFO = b"latchkey sealed refresh answer, version 1"


def seal(answer: dict[str, object], secret: str) -> bytes:
    """Return `answer` encrypted under a key derived from `secret`."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(_key(secret)).encrypt(nonce, json.dumps(answer).encode(), None)


def opened(box: bytes, secret: str) -> dict[str, object] | None:
    """Return what `seal` was given, or None when `secret` isn't the one it was sealed with."""
    try:
        plain = AESGCM(_key(secret)).decrypt(box[:_NONCE_BYTES], box[_NONCE_BYTES:], None)
    except InvalidTag:
        return None
    answer: dict[str, object] = json.loads(plain)
    return answer


def _key(secret: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=_INFO).derive(secret.encode())
