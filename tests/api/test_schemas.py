"""A field's schema and its check accept the same values."""

import re
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from chalicelib.api.schema.fields import Enum, EnumList, Field, Id, Integer, Text
from chalicelib.core import display_names
from chalicelib.core.errors import InvalidRequest
from tests.support import exhaustive

FIELDS: dict[str, Field] = {
    "text": Text(max_length=5),
    "text of three": Text(max_length=6, min_length=3),
    "whole": Integer(0, 9),
    "one of": Enum(("read", "write")),
    "some of": EnumList(("read", "write", "keys")),
    "id": Id("key"),
}
BLANK_AND_CONTROL = "\t\n\r\x0b\x1c\x1f\x7f\x85\x9f \xa0\u1680\u2003\u200b\u2028\u3000\ufeff"
UNSEEN_AND_TURNING = "\xad\u115f\u200d\u200f\u2060\u202a\u202e\u2066\u2069\u2800\ufe0f\U0001d173\U000e0020\U000e0100"
# An unpaired surrogate can't be sent in a body; test_fields tests it.
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.text(st.sampled_from("ab🔑é" + BLANK_AND_CONTROL), max_size=8),
    st.text(st.sampled_from("ab🔑 " + UNSEEN_AND_TURNING), max_size=8),
)
WORDS = st.sampled_from(["read", "write", "keys", "READ", "read "])
IDS = st.from_regex(r"(key|acc)_[0-9A-Za-z]{19,21}\n?", fullmatch=True)
NUMBERS = st.one_of(
    st.integers(-2, 12), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.just(2.0), st.just(-0.0)
)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    NUMBERS,
    TEXTS,
    WORDS,
    IDS,
    st.lists(st.one_of(WORDS, st.none(), NUMBERS), max_size=4),
    st.dictionaries(WORDS, WORDS, max_size=2),
)


_BEYOND = re.compile(f"[{display_names.INVISIBLE_BEYOND}]")
"""Characters that a name can't have, but that a schema can't exclude."""


def is_accepted(field: Field, value: Any) -> bool:
    """Return whether the field's check accepts a value."""
    try:
        field.check("it", value)
    except InvalidRequest:
        return False
    return True


@pytest.mark.parametrize("name", FIELDS)
@settings(max_examples=exhaustive.examples(800), derandomize=True, deadline=None, database=None)
@given(value=VALUES)
def test_check_and_schema_accept_the_same_values(name: str, value: Any) -> None:
    """The check and the schema agree on every value, except for invisible names (`core.display_names`)."""
    field = FIELDS[name]
    assume(not _BEYOND.search(str(value)))
    assert is_accepted(field, value) == jsonschema_rs.Draft202012Validator(field.schema()).is_valid(value)


@pytest.mark.parametrize("name", FIELDS)
@settings(max_examples=exhaustive.examples(200), derandomize=True, deadline=None, database=None)
@given(value=VALUES)
def test_checked_value_passes_again_unchanged(name: str, value: Any) -> None:
    """If a value that a field's check returned is checked again, it is returned unchanged."""
    field = FIELDS[name]
    if is_accepted(field, value):
        once = field.check("it", value)
        assert field.check("it", once) == once


def test_examples_and_defaults_are_valid() -> None:
    """Every example and default of a field passes its check."""
    from chalicelib.api import accounts, keys, users

    for field in (keys.NAME, keys.SCOPES, keys.LIFE_S, keys.GRACE_S, users.NAME, accounts.EMAIL, users.TIER):
        schema = field.schema()
        for value in (*schema.get("examples", []), *([schema["default"]] if "default" in schema else [])):
            assert is_accepted(field, value)
