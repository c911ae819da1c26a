"""Hash and check passwords with argon2id and RFC 9106's low-memory parameters, which suit a small Lambda function."""

import argon2
from argon2.exceptions import VerificationError

from chalicelib.accounts.password_rules import normalise

_HASHER = argon2.PasswordHasher.from_parameters(argon2.profiles.RFC_9106_LOW_MEMORY)
_HASH_OF_NO_USER = "$argon2id$v=19$m=65536,t=3,p=4$sjgoCPoaZhHvWGS1KoltaQ$Q0dG39P/cAtBlZZTJbamFoJmAF8IFefl7aP8kWbotLQ"


def hash_password(password: str) -> str:
    """Return the hash of `password` in the form that is stored."""
    return _HASHER.hash(_octets(normalise(password)))


def matches(password: str, stored: str | None) -> bool:
    """Return whether `password` matches a stored hash. If `stored` is None, return False after the same time.

    Older accounts have the hash of the password as it was typed, without normalisation. Therefore, if `password` isn't
    in NFC, its original form is checked too.
    """
    return any(_is_hash_of(form, stored) for form in dict.fromkeys((normalise(password), password)))


def _is_hash_of(form: str, stored: str | None) -> bool:
    try:
        return _HASHER.verify(stored or _HASH_OF_NO_USER, _octets(form)) and bool(stored)
    except VerificationError:
        return False


def _octets(form: str) -> bytes:
    return form.encode(errors="surrogatepass")
