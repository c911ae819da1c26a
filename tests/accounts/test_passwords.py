"""Password hashes: parameters, normalisation, and checks without an account."""

import unicodedata

import pytest

from chalicelib.accounts import passwords
from tests.support.console_client import PASSWORD, hash_of

COMPOSED = unicodedata.normalize("NFC", "café noir à l'ancienne")
DECOMPOSED = unicodedata.normalize("NFD", COMPOSED)


def test_hash_is_argon2id_with_the_parameters_of_rfc_9106() -> None:
    """RFC 9106 §4, second recommended option: 64 MiB, 3 passes, 4 lanes, 16 bytes of salt, 32 bytes of tag."""
    kind, version, parameters, salt, tag = passwords.hash_password(PASSWORD).split("$")[1:]
    assert (kind, version, parameters) == ("argon2id", "v=19", "m=65536,t=3,p=4")
    assert (len(salt), len(tag)) == (22, 43)


def test_password_matches_its_own_hash_only() -> None:
    """A password matches its own hash only, and two hashes of one password differ."""
    stored = passwords.hash_password(PASSWORD)
    assert passwords.matches(PASSWORD, stored)
    assert not passwords.matches(PASSWORD.upper(), stored)
    assert not passwords.matches(PASSWORD, None)
    assert passwords.hash_password(PASSWORD) != stored


def test_hash_of_no_account_has_the_same_parameters() -> None:
    """The hash that is checked for a missing account has the same parameters, so that the time is the same."""
    stored = passwords._HASH_OF_NO_ACCOUNT.split("$")
    real = passwords.hash_password(PASSWORD).split("$")
    assert stored[1:4] == real[1:4]
    assert list(map(len, stored[4:])) == list(map(len, real[4:]))


@pytest.mark.parametrize(
    ("chosen", "typed"), [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED), (DECOMPOSED, DECOMPOSED)]
)
def test_password_matches_in_any_unicode_composition(chosen: str, typed: str) -> None:
    """A password matches in any Unicode composition: keyboards differ (NIST SP 800-63B §3.1.1.2, RFC 8265 §4.2.2)."""
    assert passwords.matches(typed, passwords.hash_password(chosen))
    assert not passwords.matches(typed.replace("\u0301", "").replace("é", "e"), passwords.hash_password(chosen))


def test_password_hashed_before_normalisation_matches() -> None:
    """Hashes from before normalisation was introduced, made from the password as typed, still match."""
    assert passwords.matches(DECOMPOSED, passwords._HASHER.hash(DECOMPOSED))


def test_long_disordered_marks_are_not_normalised() -> None:
    """A long sequence of combining marks isn't normalised, because the time grows faster than linearly."""
    assert not passwords.matches("a" + "\u0301\u0323" * 30_000, None)
    assert not passwords.matches("\ud800" * 12, None)


@pytest.mark.parametrize("length", [255, 256])
def test_longest_password_is_normalised(length: int) -> None:
    """A password of 256 typed characters is normalised even if normalisation shortens it."""
    typed = ("e\u0301" + PASSWORD * 17)[:length]
    assert passwords.hash_password(typed) != typed
    assert passwords.matches(unicodedata.normalize("NFC", typed), passwords.hash_password(typed))


def test_text_longer_than_a_password_is_not_normalised() -> None:
    """A log-in with a text longer than a password doesn't normalise it, and it matches no hash."""
    composed = "é" * 256
    assert not passwords.matches("e\u0301" * 256, hash_of(composed))


def test_no_password_matches_without_a_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    """No password matches an account without a hash, not even the password of the dummy hash."""
    monkeypatch.setattr(passwords, "_HASH_OF_NO_ACCOUNT", hash_of(PASSWORD))
    assert not passwords.matches(PASSWORD, None)
    assert not passwords.matches(PASSWORD, "")
