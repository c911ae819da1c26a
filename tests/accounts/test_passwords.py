"""Passwords: which are good enough, and how they are stored."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from chalicelib.accounts import password_rules, passwords
from chalicelib.core import errors
from tests.support.console_client import PASSWORD, hash_of

GOOD = "rT7-zebra vault "
COMMON = [word for word in FREQUENCY_LISTS["passwords"] if len(word) >= password_rules.LENGTH_MIN]


def accepts(password: str, *, email: str = "ada@example.com", name: str = "Ada Lovelace") -> bool:
    """Tell whether a password may be chosen."""
    try:
        return password_rules.validate(password, email=email, name=name) == password
    except errors.InvalidRequest:
        return False


@pytest.mark.parametrize(
    ("length", "good"), [(11, False), (12, True), (72, True), (73, True), (256, True), (257, False)]
)
def test_password_length_is_held_to_12_and_256(length: int, good: bool) -> None:
    """12 to 256 characters are taken, one less or more is not."""
    assert accepts((GOOD * 17)[:length]) is good


def test_password_of_any_script_counts_by_characters() -> None:
    """Twelve characters are twelve characters, however many bytes they take; spaces at the ends belong to them."""
    assert accepts("пурпурный єнот")
    assert accepts(" 山川草木鳥獣虫魚天地 ")
    assert not accepts("山川草木鳥獣")


@pytest.mark.parametrize("start", range(4))
def test_commonest_passwords_are_refused(start: int) -> None:
    """Every password of the list that is long enough to be chosen is refused, and so it is with a number behind it."""
    assert len(COMMON) > 100
    for word in COMMON[start::4]:
        assert not accepts(word), word
        assert not accepts(f"{word}1"), word


@pytest.mark.parametrize(
    "password",
    [
        "passwordpassword",
        "Password1234",
        "123456789012",
        "qwertyuiop[]",
        "aaaaaaaaaaaaaaaa",
        "abcabcabcabcabc",
        "drowssapdrowssap",
    ],
)
def test_password_of_one_idea_is_refused(password: str) -> None:
    """Repetition, reversal and rows of keys make nothing long out of something short."""
    assert not accepts(password)


@pytest.mark.parametrize(
    "password",
    [
        "ada.lovelace@example.com",
        "ada.lovelace12",
        "LovelaceLovelace",
        "adalovelace1",
        "Ada Lovelace",
        "ecalevolecalevol",
    ],
)
def test_password_made_of_ones_own_name_or_address_is_refused(password: str) -> None:
    """What everyone who knows the account would try first is refused."""
    assert not accepts(password, email="ada.lovelace@example.com", name="Ada Lovelace")


def test_refusal_says_what_to_do_and_not_the_password() -> None:
    """The message is for a page, so it must not repeat what was typed."""
    for password in ("short", "passwordpassword", "x" * 300):
        with pytest.raises(errors.InvalidRequest) as refused:
            password_rules.validate(password, email="ada@example.com", name="Ada")
        assert "Choose" in refused.value.message
        assert password not in refused.value.message


@given(st.text(min_size=0, max_size=90), st.text(max_size=20), st.text(max_size=20))
def test_any_text_is_accepted_or_refused(password: str, email: str, name: str) -> None:
    """Nothing that can be typed, half a surrogate pair included, makes the check fail."""
    accepts(password, email=email, name=name)


def test_stored_form_is_argon2id_with_the_parameters_of_rfc_9106() -> None:
    """RFC 9106 §4, the second choice: 64 MiB, 3 passes, 4 lanes, a salt of 16 bytes, a tag of 32."""
    kind, version, parameters, salt, tag = passwords.hashed(PASSWORD).split("$")[1:]
    assert (kind, version, parameters) == ("argon2id", "v=19", "m=65536,t=3,p=4")
    assert (len(salt), len(tag)) == (22, 43)


def test_password_matches_its_own_stored_form_only() -> None:
    """The right password matches; another, and any password of nobody, does not; two people's forms differ."""
    stored = passwords.hashed(PASSWORD)
    assert passwords.matches(PASSWORD, stored)
    assert not passwords.matches(PASSWORD.upper(), stored)
    assert not passwords.matches(PASSWORD, None)
    assert passwords.hashed(PASSWORD) != stored


def test_nobodys_hash_takes_as_much_work_as_anybodys() -> None:
    """A password of nobody is checked against a form with the same parameters, or the time would tell."""
    stored = passwords._HASH_OF_NO_ACCOUNT.split("$")
    real = passwords.hashed(PASSWORD).split("$")
    assert stored[1:4] == real[1:4]
    assert list(map(len, stored[4:])) == list(map(len, real[4:]))


COMPOSED = unicodedata.normalize("NFC", "café noir à l'ancienne")
DECOMPOSED = unicodedata.normalize("NFD", COMPOSED)


@pytest.mark.parametrize(
    ("chosen", "typed"), [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED), (DECOMPOSED, DECOMPOSED)]
)
def test_password_matches_however_its_letters_are_composed(chosen: str, typed: str) -> None:
    """One keyboard writes an é as one character, another as two (NIST SP 800-63B §3.1.1.2, RFC 8265 §4.2.2)."""
    assert passwords.matches(typed, passwords.hashed(chosen))
    assert not passwords.matches(typed.replace("\u0301", "").replace("é", "e"), passwords.hashed(chosen))


def test_password_from_before_they_were_normalised_still_matches() -> None:
    """It was stored as it was typed."""
    assert passwords.matches(DECOMPOSED, passwords._HASHER.hash(DECOMPOSED))


def test_marks_in_disorder_take_no_longer_than_their_number() -> None:
    """What is longer than any password isn't normalised; nor does half a surrogate pair make a check fail."""
    assert not passwords.matches("a" + "\u0301\u0323" * 30_000, None)
    assert not passwords.matches("\ud800" * 12, None)


def test_length_is_counted_in_letters_as_they_are_stored() -> None:
    """Six letters of two characters each are six."""
    assert not accepts("e\u0301x\u0304q\u030c" * 2)


def test_refusal_is_about_the_password() -> None:
    """Whatever is wrong with it: its length, a character, or that it is easy to guess."""
    for password in ("short", "x" * 257, "\ud800" * 12, "passwordpassword"):
        with pytest.raises(errors.InvalidRequest) as refused:
            password_rules.validate(password, email="ada@example.com", name="Ada")
        assert (refused.value.field, refused.value.status) == ("password", 400)


def test_character_that_can_not_be_written_is_named_as_such() -> None:
    """Half a surrogate pair has no form in which it could be sent again."""
    with pytest.raises(errors.InvalidRequest, match="can't be encoded as UTF-8"):
        password_rules.check_format("\ud800" * 12)


@pytest.mark.parametrize("length", [255, 256])
def test_longest_password_is_normalised_too(length: int) -> None:
    """256 characters as they are typed may be fewer as they are stored."""
    typed = ("e\u0301" + GOOD * 17)[:length]
    assert passwords.hashed(typed) != typed
    assert passwords.matches(unicodedata.normalize("NFC", typed), passwords.hashed(typed))


def test_longer_text_than_a_password_is_left_as_it_is() -> None:
    """It is checked, since whoever logs in may send it, and is nobody's; normalised it would be the same."""
    composed = "é" * 256
    assert not passwords.matches("e\u0301" * 256, hash_of(composed))


@pytest.mark.parametrize(
    "password",
    [
        *("zqvxkjw@wqzkj.example", "zqvxkjwzqvxkjw", "wqzkj.example1", "Zqvxk Jwpfy", "zqvxkjwpfyjwpfy"),
        *("jwpfyjwpfyjw1", "zqvxkzqvxk99"),
    ],
)
def test_every_part_of_ones_own_name_and_address_is_easy_to_guess(password: str) -> None:
    """The whole, each side of the @, the name without its spaces, and each word of it; for anybody else it isn't."""
    assert not accepts(password, email="zqvxkjw@wqzkj.example", name="Zqvxk Jwpfy")


def test_password_of_nobody_is_never_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even the one that the form which stands for nobody was made of, did anybody know it."""
    monkeypatch.setattr(passwords, "_HASH_OF_NO_ACCOUNT", hash_of(PASSWORD))
    assert not passwords.matches(PASSWORD, None)
    assert not passwords.matches(PASSWORD, "")
