"""Encrypt data for one caller, with a key that is derived from the secret in the caller's request (RFC 5869, AES-GCM).

Only somebody who has that secret can decrypt the data. The tables store only the digest of the secret, which reveals
nothing about the key.
"""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE_BYTES = 12


def seal(plain: bytes, secret: str, *, purpose: str, bound_to: str = "") -> bytes:
    """Encrypt `plain` with a key that is derived from `secret` for one `purpose`.

    Decryption needs the same `bound_to`, so that the encrypted data can't be moved to another item.
    """
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(_key(secret, purpose)).encrypt(nonce, plain, bound_to.encode() or None)


def unseal(box: bytes, secret: str, *, purpose: str, bound_to: str = "") -> bytes | None:
    """Decrypt `box`. Returns None if it was encrypted with another secret, `purpose` or `bound_to`."""
    try:
        return AESGCM(_key(secret, purpose)).decrypt(box[:_NONCE_BYTES], box[_NONCE_BYTES:], bound_to.encode() or None)
    except InvalidTag:
        return None


def _key(secret: str, purpose: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose.encode()).derive(secret.encode())
