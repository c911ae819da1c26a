"""Password hashes: parameters, normalisation, and checks without an account."""

import unicodedata

import pytest

from chalicelib.accounts import passwords
from tests.support.console_client import PASSWORD, hash_of

COMPOSED = unicodedata.normalize("NFC", "café noir à l'ancienne")
DECOMPOSED = unicodedata.normalize("NFD", COMPOSED)


def test_hash_is_argon2id_with_the_parameters_of_rfc_9106() -> None:
    """Hashes use argon2id with RFC 9106's low-memory parameters: 64 MiB, 3 passes, 4 lanes."""
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
    """A log-in without an account checks a dummy hash with the same parameters, so that timing reveals nothing."""
    stored = passwords._HASH_OF_NO_USER.split("$")
    real = passwords.hash_password(PASSWORD).split("$")
    assert stored[1:4] == real[1:4]
    assert list(map(len, stored[4:])) == list(map(len, real[4:]))


@pytest.mark.parametrize(
    ("chosen", "typed"), [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED), (DECOMPOSED, DECOMPOSED)]
)
def test_password_matches_in_any_unicode_composition(chosen: str, typed: str) -> None:
    """A password matches in any Unicode composition, because keyboards differ (NIST SP 800-63B §3.1.1.2, RFC 8265
    §4.2.2).
    """
    assert passwords.matches(typed, passwords.hash_password(chosen))
    assert not passwords.matches(typed.replace("\u0301", "").replace("é", "e"), passwords.hash_password(chosen))


def test_password_hashed_before_normalisation_matches() -> None:
    """A hash that an earlier version of Latchkey computed from the password as typed, without normalisation, still
    matches.
    """
    assert passwords.matches(DECOMPOSED, passwords._HASHER.hash(DECOMPOSED))


def test_long_disordered_marks_are_not_normalised() -> None:
    """A long sequence of combining marks isn't normalised, because that would take more than linear time."""
    assert not passwords.matches("a" + "\u0301\u0323" * 30_000, None)
    assert not passwords.matches("\ud800" * 12, None)


@pytest.mark.parametrize("length", [255, 256])
def test_longest_password_is_normalised(length: int) -> None:
    """A password of 256 typed characters is normalised, even if it has fewer characters afterwards."""
    typed = ("e\u0301" + PASSWORD * 17)[:length]
    assert passwords.hash_password(typed) != typed
    assert passwords.matches(unicodedata.normalize("NFC", typed), passwords.hash_password(typed))


def test_text_longer_than_a_password_is_not_normalised() -> None:
    """A text that is longer than any password isn't normalised at log-in, and matches no hash."""
    composed = "é" * 256
    assert not passwords.matches("e\u0301" * 256, hash_of(composed))


def test_no_password_matches_without_a_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    """If an account has no hash, no password matches, not even that of the dummy hash."""
    monkeypatch.setattr(passwords, "_HASH_OF_NO_USER", hash_of(PASSWORD))
    assert not passwords.matches(PASSWORD, None)
    assert not passwords.matches(PASSWORD, "")
