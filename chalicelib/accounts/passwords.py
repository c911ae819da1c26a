"""Passwords: which are good enough, and argon2id at RFC 9106's low-memory profile, which fits a small function."""

import unicodedata

import argon2
from argon2.exceptions import VerificationError

from chalicelib.core import errors

LENGTH_MIN, LENGTH_MAX = 12, 256

_HASHER = argon2.PasswordHasher.from_parameters(argon2.profiles.RFC_9106_LOW_MEMORY)
_OF_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$sjgoCPoaZhHvWGS1KoltaQ$Q0dG39P/cAtBlZZTJbamFoJmAF8IFefl7aP8kWbotLQ"


def check_form(password: str) -> None:
    """Raise InvalidRequest saying what is wrong with a password that can't be used, if that is seen at a glance."""
    if len(password) > LENGTH_MAX or len(_normalised(password)) < LENGTH_MIN:
        raise errors.InvalidRequest(f"Choose a password of {LENGTH_MIN} to {LENGTH_MAX} characters.").about("password")
    try:
        password.encode()
    except UnicodeEncodeError:
        unwritable = errors.InvalidRequest("The password contains a character that can't be encoded as UTF-8.")
        raise unwritable.about("password") from None


def accepted(password: str, *, email: str, name: str) -> str:
    """Return `password`; raise InvalidRequest saying what is wrong with it, if anything is (NIST SP 800-63B §3.1.1).

    It takes a while: whoever anybody can make call this has counted the caller before.
    """
    from chalicelib.accounts import password_guessing

    check_form(password)
    own_words = [email, *email.split("@"), name, "".join(name.split()), *name.split()]
    if password_guessing.is_guessable(_normalised(password), own_words):
        raise errors.InvalidRequest("This password is too easy to guess. Choose another.").about("password")
    return password


def hashed(password: str) -> str:
    """Return the form in which `password` is stored."""
    return _HASHER.hash(_octets(_normalised(password)))


def matches(password: str, stored: str | None) -> bool:
    """Tell whether `password` is the one that `stored` was made of; None, for nobody, takes as long and is False.

    However a keyboard writes its letters. What was stored before passwords were normalised was made of what was typed:
    that is tried, too, where it differs, which only what is typed now decides.
    """
    return any(_is_of(form, stored) for form in dict.fromkeys((_normalised(password), password)))


def _is_of(form: str, stored: str | None) -> bool:
    try:
        return _HASHER.verify(stored or _OF_NOBODY, _octets(form)) and bool(stored)
    except VerificationError:
        return False


def _normalised(password: str) -> str:
    """Return a password in the one form it is stored and checked in: NFC, as RFC 8265 §4.2.2 has it for passwords.

    An é is one character from one keyboard and two from another. What is longer than any password is left as it is: of
    many marks in disorder, normalising would take longer than their number.
    """
    return unicodedata.normalize("NFC", password) if len(password) <= LENGTH_MAX else password


def _octets(form: str) -> bytes:
    return form.encode(errors="surrogatepass")
