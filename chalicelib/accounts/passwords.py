"""Passwords: argon2id at the library's RFC 9106 low-memory profile, which fits a small Lambda function."""

import argon2
from argon2.exceptions import VerificationError

_HASHER = argon2.PasswordHasher.from_parameters(argon2.profiles.RFC_9106_LOW_MEMORY)


def hashed(password: str) -> str:
    """Return the form in which `password` is stored."""
    return _HASHER.hash(password)


def matches(password: str, stored: str) -> bool:
    """Tell whether `password` is the one that `stored` was made of."""
    try:
        return _HASHER.verify(stored, password)
    except VerificationError:
        return False
