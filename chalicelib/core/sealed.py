"""Encrypt data for one caller, with a key derived from the secret that the caller presents (RFC 5869, AES-GCM).

Only the holder of that secret can decrypt the data. The tables store the digest of the secret, which reveals nothing
about the key.
"""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE_BYTES = 12


def seal(plain: bytes, secret: str, *, purpose: str, bound_to: str = "") -> bytes:
    """Return `plain` encrypted with a key derived from `secret` for one `purpose`.

    Decryption needs the same `bound_to`, so that a ciphertext can't be moved to another item.
    """
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(_key(secret, purpose)).encrypt(nonce, plain, bound_to.encode() or None)


def unseal(box: bytes, secret: str, *, purpose: str, bound_to: str = "") -> bytes | None:
    """Return the plaintext, or None if it was sealed with another secret, purpose or binding."""
    try:
        return AESGCM(_key(secret, purpose)).decrypt(box[:_NONCE_BYTES], box[_NONCE_BYTES:], bound_to.encode() or None)
    except InvalidTag:
        return None


def _key(secret: str, purpose: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose.encode()).derive(secret.encode())
