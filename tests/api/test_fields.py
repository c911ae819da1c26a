"""Fields of bodies and queries: an unknown, missing or invalid field is rejected by an error that names it."""

from collections.abc import Mapping

import pytest

from chalicelib.api.schema.body import Body, Query, optional, required
from chalicelib.api.schema.fields import Enum, EnumList, Field, Integer, Text
from chalicelib.core.errors import InvalidRequest

NAME = {"name": Text(max_length=5)}
COUNT = {"count": Integer(1, 9)}


def body(must: Mapping[str, Field] | None = None, may: Mapping[str, Field] | None = None, **options: int) -> type[Body]:
    """Return a class of bodies with required and optional fields."""
    fields = {name: required(kind) for name, kind in (must or {}).items()}
    made: type[Body] = type(
        "Made", (Body,), fields | {name: optional(kind) for name, kind in (may or {}).items()}, **options
    )
    return made


def query(may: Mapping[str, Field]) -> type[Query]:
    """Return a class of queries with optional fields."""
    made: type[Query] = type("Made", (Query,), {name: optional(kind) for name, kind in may.items()})
    return made


LIMIT = query({"limit": Integer(1, 100, default=50)})


def message_for(raw: bytes | str) -> str:
    """Return the error message for a rejected body."""
    with pytest.raises(InvalidRequest) as refused:
        body(NAME, COUNT).read(raw)
    return refused.value.message


def test_valid_body_is_read() -> None:
    """Required and optional fields are checked and returned; an absent optional field is None."""
    assert vars(body(NAME, COUNT).read(b'{"name":" Ada "}')) == {"name": "Ada", "count": None}
    assert vars(body(NAME, COUNT).read('{"count":9,"name":"Ada"}')) == {"name": "Ada", "count": 9}


@pytest.mark.parametrize(
    "raw", [b"", b"null", b"[]", b'"name"', b"7", b"{", b"name=Ada", b"\xff", b'{"name":"\xff"}', "\ufeff{}"]
)
def test_body_that_is_not_a_json_object_is_rejected(raw: bytes | str) -> None:
    """A body that isn't JSON, UTF-8 or an object is rejected."""
    assert message_for(raw) == "The body must be a JSON object."


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_non_json_number_is_rejected(number: str) -> None:
    """NaN and Infinity are rejected, because JSON doesn't have them (RFC 8259 §6)."""
    assert message_for(f'{{"name":"Ada","count":{number}}}') == "The body must be a JSON object."


@pytest.mark.parametrize("raw", [b"[" * 100_000, b'{"a":' * 100_000])
def test_deeply_nested_body_is_rejected(raw: bytes) -> None:
    """A body that is nested too deeply is a 400."""
    assert message_for(raw) == "The body is nested too deeply."


def test_overlong_number_is_rejected() -> None:
    """A number of 5,000 digits is a 400, without a long computation."""
    assert message_for('{"name":"Ada","count":' + "9" * 5_000 + "}") == "The body must be a JSON object."


def test_duplicate_field_is_rejected() -> None:
    """A body with a duplicate field is rejected, because parsers disagree on which value counts."""
    assert message_for('{"name":"Ada","name":"Bea"}') == "The body names a field twice."


def test_unknown_field_is_rejected_by_name() -> None:
    """An unknown field is rejected with a message that lists the known fields."""
    assert message_for('{"nmae":"Ada"}') == "Unknown field 'nmae'; this request takes name, count."
    with pytest.raises(InvalidRequest, match="Unknown field 'x'; this request takes none"):
        body(may_be_empty=True).read('{"x":1}')


def test_unknown_field_name_is_escaped_in_the_message() -> None:
    """An error message shows the name of an unknown field shortened and in ASCII."""
    said = message_for('{"<script>\\u0000\\ud800' + "x" * 500 + '":1}')
    assert said.isascii()
    assert len(said) < 140


def test_missing_field_is_named() -> None:
    """The error for a missing field names the field."""
    assert message_for("{}") == "name is missing."


@pytest.mark.parametrize(
    "value", ['""', '"   "', '"123456"', "7", "null", "[]", "{}", "true", '"a\\nb"', '"\\u0000"', '"\\ud800"']
)
def test_invalid_text_is_rejected(value: str) -> None:
    """A text with a wrong length or type, control characters or an unpaired surrogate is rejected."""
    assert message_for(f'{{"name":{value}}}') == "name must be a text of 1 to 5 characters on one line."


def test_text_length_counts_characters() -> None:
    """A text may be of any script, and its length is counted in characters, not bytes."""
    assert vars(body(NAME).read('{"name":"Zoë \\ud83d\\udd11"}'))["name"] == "Zoë 🔑"


@pytest.mark.parametrize("value", ["0", "10", "-1", "1.5", "1e400", "true", "null", '"1"', "[1]", "1" + "0" * 400])
def test_invalid_integer_is_rejected(value: str) -> None:
    """An integer out of bounds, with a fraction or of another type, such as `true`, is rejected."""
    assert message_for(f'{{"name":"Ada","count":{value}}}') == "count must be a whole number from 1 to 9."


def test_enum_value_must_be_known() -> None:
    """An unknown enum value is rejected with a message that lists the known values."""
    for value in ("gold", "FREE", None, 1, ["free"]):
        with pytest.raises(InvalidRequest, match="tier must be one of free, pro"):
            Enum(("free", "pro")).check("tier", value)
    assert Enum(("free", "pro")).check("tier", "pro") == "pro"


def test_enum_list_values_must_be_distinct_and_known() -> None:
    """The values of an enum list must be distinct and known, and are returned in the documented order."""
    for value in ([], ["gold"], ["read", "read"], "read", None, [None], [["read"]], {"read": 1}):
        with pytest.raises(InvalidRequest, match="scopes must be a list"):
            EnumList(("read", "write")).check("scopes", value)
    assert EnumList(("read", "write")).check("scopes", ["write", "read"]) == ["read", "write"]


@pytest.mark.parametrize("text", ["", " 1", "1 ", "+1", "1_0", "0x1", "٣", "²", "1" * 30, "ten"])
def test_non_numeric_parameter_is_rejected(text: str) -> None:
    """An integer parameter accepts only ASCII digits."""
    with pytest.raises(InvalidRequest, match="limit must be"):
        LIMIT.read({"limit": text})


def test_absent_parameter_has_its_default() -> None:
    """An absent parameter has its default value."""
    assert vars(LIMIT.read({})) == {"limit": 50}
    assert vars(LIMIT.read({"limit": "007"})) == {"limit": 7}


def test_unknown_parameter_is_rejected_by_name() -> None:
    """An unknown parameter is rejected with a message that lists the known parameters."""
    pages = query({"limit": Integer(1, 100), "cursor": Text(max_length=9)})
    assert vars(pages.read({"limit": "1"})) == {"limit": 1, "cursor": None}
    with pytest.raises(InvalidRequest, match="Unknown parameter 'page'; this request takes limit, cursor"):
        pages.read({"page": "1"})
    with pytest.raises(InvalidRequest, match="takes none"):
        Query.read({"page": "1"})


def test_integer_may_be_written_as_a_float() -> None:
    """1.0 and 1e0 are accepted as the integer 1, as in JSON Schema."""
    for value in ("1.0", "1e0"):
        assert vars(body(COUNT).read(f'{{"count":{value}}}')) == {"count": 1}


def test_body_with_too_few_fields_is_rejected() -> None:
    """A change without any field is rejected with a message that lists all fields."""
    with pytest.raises(InvalidRequest, match="Give name, count or both"):
        body(may={**NAME, **COUNT}, least=1).read("{}")
    with pytest.raises(InvalidRequest, match="Give one or more of name, count, tier"):
        body(may={**NAME, **COUNT, "tier": Enum(("free",))}, least=1).read("{}")


def test_optional_body_may_be_absent() -> None:
    """If the route allows it, an absent body counts as an empty object, whose fields have their defaults."""
    assert vars(body(may={"count": Integer(1, 9, default=5)}, may_be_empty=True).read(b"")) == {"count": 5}
