"""What is kept for one caller only: encrypted under the secret that it presents (RFC 5869, AES-GCM).

Only who holds that secret can open it; our tables hold its digest, which tells nothing of the key.
"""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE_BYTES = 12


def seal(plain: bytes, secret: str, *, purpose: str, bound_to: str = "") -> bytes:
    """Return `plain` encrypted under a key derived from `secret` for one `purpose`.

    It opens only beside what it is `bound_to`, so that a box can't be moved from one item to another.
    """
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(_key(secret, purpose)).encrypt(nonce, plain, bound_to.encode() or None)


def opened(box: bytes, secret: str, *, purpose: str, bound_to: str = "") -> bytes | None:
    """Return what `seal` was given, or None when it was sealed with another secret, or for something else."""
    try:
        return AESGCM(_key(secret, purpose)).decrypt(box[:_NONCE_BYTES], box[_NONCE_BYTES:], bound_to.encode() or None)
    except InvalidTag:
        return None


def _key(secret: str, purpose: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose.encode()).derive(secret.encode())
