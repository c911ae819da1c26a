"""In untrusted JSON, a string with a lone surrogate is not text."""

import pytest

from chalicelib.core import json_text, secrets
from chalicelib.core.json_text import INVALID_TEXT


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('"\\ud800"', INVALID_TEXT),
        ('{"a": "x\\udfff"}', {"a": INVALID_TEXT}),
        ('{"a": ["b", ["\\ud83d"]]}', {"a": ["b", [INVALID_TEXT]]}),
        ('[{"a": "\\ud800"}, "c"]', [{"a": INVALID_TEXT}, "c"]),
        ('{"a": "\\ud83d\\udddd"}', {"a": "🗝"}),
        ('{"a": ["é", 1, null, true]}', {"a": ["é", 1, None, True]}),
    ],
)
def test_lone_surrogate_is_not_text(text: str, value: object) -> None:
    """A lone surrogate is replaced; a surrogate pair and all other values are unchanged."""
    assert json_text.read(text) == value


def test_any_text_has_a_digest() -> None:
    """Even a text with a lone surrogate has a digest, so that it can be looked up and not found."""
    assert secrets.digest("\ud800") != secrets.digest("\udfff")


def test_objects_are_built_from_their_pairs() -> None:
    """The function that builds an object gets the name-value pairs in their order, including duplicate names."""
    text = '{"a": 1, "b": {"a": "\\ud800"}, "a": 1.5}'
    pairs = [("a", 1), ("b", [("a", INVALID_TEXT)]), ("a", "1.5")]
    assert json_text.read(text, of_object=lambda made: tuple(made), parse_float=str) == tuple(
        (name, tuple(value) if isinstance(value, list) else value) for name, value in pairs
    )
    assert json_text.read(b"[NaN]", parse_constant=str) == ["NaN"]
