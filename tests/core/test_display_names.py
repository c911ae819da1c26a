"""The rule for display names: one line, no reordering of the surrounding text, and a visible character."""

import unicodedata

import pytest

from chalicelib.core import display_names

GOOD = {
    "plain": "Ada Lovelace",
    "of another script": "山田太郎",
    "written from right to left": "דוד",
    "with marks of direction": "\u200fדוד\u200e (CEO)",
    "with an Arabic letter mark": "\u061c5 كتب",
    "emoji joined by ZWJ": "👩\u200d💻",
    "emoji with a variation selector": "❤\ufe0f",
    "flag of a region, made of tags": "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
    "with a no-break space": "10\u00a0km",
    "with a narrow no-break space": "Qui\u202f?",
    "with an ideographic space": "山田\u3000太郎",
    "with ZWNJ, as Persian needs it": "می\u200cخواهم",
    "with a soft hyphen": "Donau\u00addampf",
    "with a combining mark": "e\u0301",
    "with a byte-order mark before it": "\ufeffAda",
    "private use": "\ue000",
    "quotes, angles, slashes": "<b>\"Ada\" \\ 'Lovelace'</b>",
}
BAD = {
    "empty": "",
    "spaces": "   ",
    "of no-break spaces": "\u00a0\u3000",
    "NUL": "a\x00b",
    "tab": "a\tb",
    "line feed": "a\nb",
    "carriage return at the end": "a\r",
    "escape": "\x1b[31mred",
    "delete": "a\x7f",
    "next line": "a\x85b",
    "C1": "a\x9bb",
    "line separator": "a\u2028b",
    "paragraph separator": "a\u2029b",
    "half a surrogate pair": "a\ud800",
    "zero-width space alone": "\u200b",
    "zero-width joiners alone": "\u200d\u200c",
    "marks of direction alone": "\u200e\u200f\u061c",
    "word joiner alone": "\u2060",
    "byte-order mark alone": "\ufeff",
    "Hangul filler alone": "\u3164",
    "Braille blank alone": "\u2800",
    "variation selectors alone": "\ufe0f\U000e0100",
    "tags alone": "\U000e0041\U000e007f",
    "musical format alone": "\U0001d173",
    "invisible and spaces": " \u200b \u200b ",
    **{f"U+{code:04X}": f"a{chr(code)}b" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))},
}


@pytest.mark.parametrize("name", GOOD.values(), ids=GOOD)
def test_displayable_name_is_accepted(name: str) -> None:
    """A name in any script is accepted, with the invisible characters that scripts and emoji need."""
    assert display_names.find_problem(name) is None


@pytest.mark.parametrize("name", BAD.values(), ids=BAD)
def test_other_name_is_rejected_with_a_reason(name: str) -> None:
    """The reason for a rejection completes the sentence "The name …", such as "must be on one line"."""
    assert str(display_names.find_problem(name)).startswith("must ")


def test_every_separator_and_format_character_is_covered() -> None:
    """A name of one separator or format character is rejected, unless the character has a glyph."""
    visible = {
        f"{ord(character):04X}"
        for character in map(chr, range(0x110000))
        if unicodedata.category(character) in ("Cc", "Cf", "Zs", "Zl", "Zp")
        and display_names.find_problem(character) is None
    }
    # Arabic and Egyptian signs that enclose the following characters, and Kaithi's number signs, have a glyph.
    drawn = {"0600", "0601", "0602", "0603", "0604", "0605", "06DD", "070F", "0890", "0891", "08E2", "110BD", "110CD"}
    assert visible <= drawn | {f"{code:04X}" for code in range(0x13430, 0x13440)}
