"""The rules for new passwords: length, encoding, and guesses that include the user's own words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from chalicelib.accounts import password_rules
from chalicelib.core import errors

GOOD = "rT7-zebra vault "
COMMON = [word for word in FREQUENCY_LISTS["passwords"] if len(word) >= password_rules.LENGTH_MIN]


def accepts(password: str, *, email: str = "ada@example.com", name: str = "Ada Lovelace") -> bool:
    """Return whether a password satisfies the rules."""
    try:
        return password_rules.validate(password, email=email, name=name) == password
    except errors.InvalidRequest:
        return False


@pytest.mark.parametrize(
    ("length", "good"), [(11, False), (12, True), (72, True), (73, True), (256, True), (257, False)]
)
def test_password_has_12_to_256_characters(length: int, good: bool) -> None:
    """A password of 12 to 256 characters is accepted; one character fewer or more is rejected."""
    assert accepts((GOOD * 17)[:length]) is good


def test_password_length_is_counted_in_characters() -> None:
    """The length of a password is counted in characters, not bytes, and includes spaces at its ends."""
    assert accepts("пурпурный єнот")
    assert accepts(" 山川草木鳥獣虫魚天地 ")
    assert not accepts("山川草木鳥獣")


@pytest.mark.parametrize("start", range(4))
def test_common_passwords_are_rejected(start: int) -> None:
    """A common password is rejected, even with a number appended."""
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
def test_password_of_one_pattern_is_rejected(password: str) -> None:
    """A password that is a repetition, a reversed word or a keyboard walk is rejected."""
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
def test_password_made_of_own_name_or_address_is_rejected(password: str) -> None:
    """A password made of the user's name or address is rejected, because attackers guess these first."""
    assert not accepts(password, email="ada.lovelace@example.com", name="Ada Lovelace")


def test_error_says_what_to_do_without_the_password() -> None:
    """The error for a rejected password gives advice and omits the password, because a page shows it."""
    for password in ("short", "passwordpassword", "x" * 300):
        with pytest.raises(errors.InvalidRequest) as refused:
            password_rules.validate(password, email="ada@example.com", name="Ada")
        assert "Choose" in refused.value.message
        assert password not in refused.value.message


@given(st.text(min_size=0, max_size=90), st.text(max_size=20), st.text(max_size=20))
def test_any_text_is_accepted_or_rejected(password: str, email: str, name: str) -> None:
    """Any text, even one with a lone surrogate, is accepted or rejected without an unexpected exception."""
    accepts(password, email=email, name=name)


def test_length_is_counted_after_normalisation() -> None:
    """The length is counted after normalisation: six letters of two code points each are six characters."""
    assert not accepts("e\u0301x\u0304q\u030c" * 2)


def test_error_is_about_the_password_field() -> None:
    """The error of each rejected password has the field `password`."""
    for password in ("short", "x" * 257, "\ud800" * 12, "passwordpassword"):
        with pytest.raises(errors.InvalidRequest) as refused:
            password_rules.validate(password, email="ada@example.com", name="Ada")
        assert (refused.value.field, refused.value.status) == ("password", 400)


def test_character_that_cant_be_encoded_is_named() -> None:
    """The error for a lone surrogate says that UTF-8 can't encode it."""
    with pytest.raises(errors.InvalidRequest, match="can't be encoded as UTF-8"):
        password_rules.check_format("\ud800" * 12)


@pytest.mark.parametrize(
    "password",
    [
        *("zqvxkjw@wqzkj.example", "zqvxkjwzqvxkjw", "wqzkj.example1", "Zqvxk Jwpfy", "zqvxkjwpfyjwpfy"),
        *("jwpfyjwpfyjw1", "zqvxkzqvxk99"),
    ],
)
def test_every_part_of_own_name_and_address_is_guessable(password: str) -> None:
    """The user's own name and address are guessable: whole, in parts, and without spaces."""
    assert not accepts(password, email="zqvxkjw@wqzkj.example", name="Zqvxk Jwpfy")
