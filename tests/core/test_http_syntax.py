"""Parsing of HTTP field values accepts ASCII syntax only."""

import pytest

from chalicelib.core import http_syntax

OTHER_SPACES = ["\xa0", "\x85", "\u2000", "\u3000", "\x0b", "\x0c", "\x1c", "\n", "\r", "\ufeff"]


@pytest.mark.parametrize("space", OTHER_SPACES)
def test_only_spaces_and_tabs_are_stripped(space: str) -> None:
    """Only spaces and tabs, the optional whitespace of RFC 9110 §5.6.3, are stripped."""
    assert http_syntax.trim(f" \t{space}a{space}\t ") == f"{space}a{space}"
    assert http_syntax.media_type(f"{space}text/plain ; charset=utf-8") == f"{space}text/plain"
    assert http_syntax.members(f"a , ,{space}b,") == ["a", f"{space}b"]
    assert http_syntax.credentials(f"Bearer{space}abc")[0] != "bearer"
    assert not http_syntax.is_token(f"{space}a")
    assert http_syntax.parse_integer(f"{space}1") is None


@pytest.mark.parametrize("text", ["", "1_0", "+1", "-1", " 1", "1 ", "1.0", "0x1", "٣", "²", "１", "1" * 19])
def test_number_has_only_ascii_digits(text: str) -> None:
    """A number with a sign, an underscore, a digit of another script, or more than 64 bits is invalid."""
    assert http_syntax.parse_integer(text) is None


def test_number_is_parsed() -> None:
    """A number may have leading zeros."""
    assert [http_syntax.parse_integer(text) for text in ("0", "007", "9" * 18)] == [0, 7, 10**18 - 1]


@pytest.mark.parametrize(
    ("authorization", "parts"),
    [
        ("Bearer abc", ("bearer", "abc")),
        ("\t BASIC \t abc def ", ("basic", "abc def")),
        ("Bearer", ("bearer", "")),
        ("", ("", "")),
        ("Ba\u017fic abc", ("", "abc")),
    ],
)
def test_credentials_are_scheme_and_rest(authorization: str, parts: tuple[str, str]) -> None:
    """Credentials are split into a scheme, which may be in any case, and a value (RFC 9110 §11.4)."""
    assert http_syntax.credentials(authorization) == parts


@pytest.mark.parametrize("text", ["a", "!#$%&'*+-.^_`|~09AZaz", "x-amzn-requestid"])
def test_token_has_its_characters(text: str) -> None:
    """A token may have each character of RFC 9110 §5.6.2."""
    assert http_syntax.is_token(text)


@pytest.mark.parametrize("character", [*'"(),/:;<=>?@[\\]{} ', "\t", "\n", "\x7f", "\x00", "é"])
def test_token_has_no_other_character(character: str) -> None:
    """An empty string, or a string with any other character, is not a token."""
    assert not any(
        http_syntax.is_token(text) for text in (character, f"a{character}", f"{character}a", f"a{character}a")
    )
    assert not http_syntax.is_token("")


def test_members_and_media_types_are_trimmed() -> None:
    """Members of a list keep their order; a media type is in lower case."""
    assert http_syntax.members("a,\tb ,,c") == ["a", "b", "c"]
    assert http_syntax.members(" , ") == []
    assert http_syntax.media_type(" Application/JSON ; charset=UTF-8; x") == "application/json"
    assert http_syntax.media_type("") == ""
