"""What a body may carry: everything else is refused by name."""

from collections.abc import Mapping

import pytest

from chalicelib.api.schema.body import Body, Query, optional, required
from chalicelib.api.schema.fields import Enum, EnumList, Field, Integer, Text
from chalicelib.core.errors import InvalidRequest

NAME = {"name": Text(max_length=5)}
COUNT = {"count": Integer(1, 9)}


def body(must: Mapping[str, Field] | None = None, may: Mapping[str, Field] | None = None, **options: int) -> type[Body]:
    """Return a class of bodies with fields that must be there and fields that may."""
    fields = {name: required(kind) for name, kind in (must or {}).items()}
    made: type[Body] = type(
        "Made", (Body,), fields | {name: optional(kind) for name, kind in (may or {}).items()}, **options
    )
    return made


def query(may: Mapping[str, Field]) -> type[Query]:
    """Return a class of queries."""
    made: type[Query] = type("Made", (Query,), {name: optional(kind) for name, kind in may.items()})
    return made


LIMIT = query({"limit": Integer(1, 100, default=50)})


def told(raw: bytes | str) -> str:
    """Return what is said about a body that is refused."""
    with pytest.raises(InvalidRequest) as refused:
        body(NAME, COUNT).read(raw)
    return refused.value.message


def test_good_body_is_read() -> None:
    """Required and optional fields come back checked; what is absent is None."""
    assert vars(body(NAME, COUNT).read(b'{"name":" Ada "}')) == {"name": "Ada", "count": None}
    assert vars(body(NAME, COUNT).read('{"count":9,"name":"Ada"}')) == {"name": "Ada", "count": 9}


@pytest.mark.parametrize(
    "raw", [b"", b"null", b"[]", b'"name"', b"7", b"{", b"name=Ada", b"\xff", b'{"name":"\xff"}', "\ufeff{}"]
)
def test_body_that_is_no_json_object_is_refused(raw: bytes | str) -> None:
    """Not JSON, not UTF-8, or not an object."""
    assert told(raw) == "The body must be a JSON object."


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_number_that_json_does_not_have_is_refused(number: str) -> None:
    """RFC 8259 §6: there is no NaN in JSON, whatever Python reads."""
    assert told(f'{{"name":"Ada","count":{number}}}') == "The body must be a JSON object."


@pytest.mark.parametrize("raw", [b"[" * 100_000, b'{"a":' * 100_000])
def test_body_that_is_nested_too_deeply_is_refused(raw: bytes) -> None:
    """A body made to exhaust the stack is a 400."""
    assert told(raw) == "The body is nested too deeply."


def test_number_too_long_to_read_is_refused() -> None:
    """A number of 5,000 digits is a 400, not a minute of work."""
    assert told('{"name":"Ada","count":' + "9" * 5_000 + "}") == "The body must be a JSON object."


def test_field_named_twice_is_refused() -> None:
    """What one reader takes for the first value another takes for the last."""
    assert told('{"name":"Ada","name":"Bea"}') == "The body names a field twice."


def test_unknown_field_is_refused_by_name() -> None:
    """A misspelt field must not pass in silence; the message says what there is."""
    assert told('{"nmae":"Ada"}') == "Unknown field 'nmae'; this request takes name, count."
    with pytest.raises(InvalidRequest, match="Unknown field 'x'; this request takes none"):
        body(may_be_empty=True).read('{"x":1}')


def test_name_of_an_unknown_field_is_repeated_safely() -> None:
    """A stranger's text comes back short and in ASCII."""
    said = told('{"<script>\\u0000\\ud800' + "x" * 500 + '":1}')
    assert said.isascii()
    assert len(said) < 140


def test_missing_field_is_named() -> None:
    """The message says which."""
    assert told("{}") == "name is missing."


@pytest.mark.parametrize(
    "value", ['""', '"   "', '"123456"', "7", "null", "[]", "{}", "true", '"a\\nb"', '"\\u0000"', '"\\ud800"']
)
def test_text_that_cannot_be_is_refused(value: str) -> None:
    """Too short, too long, of another type, with control characters or half a surrogate pair."""
    assert told(f'{{"name":{value}}}') == "name must be a text of 1 to 5 characters on one line."


def test_text_of_any_script_is_taken() -> None:
    """Characters are counted, not bytes; a whole surrogate pair is one."""
    assert vars(body(NAME).read('{"name":"Zoë \\ud83d\\udd11"}'))["name"] == "Zoë 🔑"


@pytest.mark.parametrize("value", ["0", "10", "-1", "1.5", "1e400", "true", "null", '"1"', "[1]", "1" + "0" * 400])
def test_number_that_cannot_be_is_refused(value: str) -> None:
    """Out of bounds, no whole number, or another type; true is no 1."""
    assert told(f'{{"name":"Ada","count":{value}}}') == "count must be a whole number from 1 to 9."


def test_word_must_be_one_of_the_known() -> None:
    """The message lists them."""
    for value in ("gold", "FREE", None, 1, ["free"]):
        with pytest.raises(InvalidRequest, match="tier must be one of free, pro"):
            Enum(("free", "pro")).check("tier", value)
    assert Enum(("free", "pro")).check("tier", "pro") == "pro"


def test_words_must_be_different_and_known() -> None:
    """They come back in the documented order."""
    for value in ([], ["gold"], ["read", "read"], "read", None, [None], [["read"]], {"read": 1}):
        with pytest.raises(InvalidRequest, match="scopes must be a list"):
            EnumList(("read", "write")).check("scopes", value)
    assert EnumList(("read", "write")).check("scopes", ["write", "read"]) == ["read", "write"]


@pytest.mark.parametrize("text", ["", " 1", "1 ", "+1", "1_0", "0x1", "٣", "²", "1" * 30, "ten"])
def test_parameter_that_is_no_number_is_refused(text: str) -> None:
    """Only plain digits are a number."""
    with pytest.raises(InvalidRequest, match="limit must be"):
        LIMIT.read({"limit": text})


def test_parameter_that_is_absent_has_its_default() -> None:
    """No limit is the default limit."""
    assert vars(LIMIT.read({})) == {"limit": 50}
    assert vars(LIMIT.read({"limit": "007"})) == {"limit": 7}


def test_unknown_parameter_is_refused_by_name() -> None:
    """The message says what there is."""
    pages = query({"limit": Integer(1, 100), "cursor": Text(max_length=9)})
    assert vars(pages.read({"limit": "1"})) == {"limit": 1, "cursor": None}
    with pytest.raises(InvalidRequest, match="Unknown parameter 'page'; this request takes limit, cursor"):
        pages.read({"page": "1"})
    with pytest.raises(InvalidRequest, match="takes none"):
        Query.read({"page": "1"})


def test_whole_number_may_be_written_as_a_fraction_of_nothing() -> None:
    """1.0 and 1e0 are 1: JSON has one kind of number, and JSON Schema says so."""
    for value in ("1.0", "1e0"):
        assert vars(body(COUNT).read(f'{{"count":{value}}}')) == {"count": 1}


def test_body_without_enough_fields_is_refused() -> None:
    """A change that changes nothing is a mistake; the message says what there is to give."""
    with pytest.raises(InvalidRequest, match="Give name, count or both"):
        body(may={**NAME, **COUNT}, least=1).read("{}")
    with pytest.raises(InvalidRequest, match="Give one or more of name, count, tier"):
        body(may={**NAME, **COUNT, "tier": Enum(("free",))}, least=1).read("{}")


def test_body_may_be_left_out_where_it_is_declared_so() -> None:
    """No body is an empty object, whose fields have their defaults."""
    assert vars(body(may={"count": Integer(1, 9, default=5)}, may_be_empty=True).read(b"")) == {"count": 5}
