"""Example values for a schema: the schema's own example, or a generated value within its bounds."""

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]

_OF_FORMATS = {"uri": "https://api.latchkey.test/", "date-time": "2021-12-20T10:00:00Z"}
_OF_TYPES: dict[str, Any] = {"boolean": True, "null": None}


def example_of(schema: Schema, components: Mapping[str, Schema]) -> Any:
    """Return a valid value of a schema; `components` are the named schemas to which it may refer."""
    if "$ref" in schema:
        return example_of(components[schema["$ref"].rpartition("/")[2]], components)
    for name in ("const", "default"):
        if name in schema:
            return schema[name]
    if "examples" in schema:
        return schema["examples"][0]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return example_of(schema["anyOf"][0], components)
    kind = schema.get("type", "object")
    return _example_of_type(kind if isinstance(kind, str) else kind[0], schema, components)


def _example_of_type(kind: str, schema: Schema, components: Mapping[str, Schema]) -> Any:
    if kind == "object":
        return {name: example_of(each, components) for name, each in schema.get("properties", {}).items()}
    if kind == "array":
        return _items(schema, components)
    if kind == "integer":
        return min(max(0, schema.get("minimum", 0)), schema.get("maximum", 2**53))
    if kind == "string" and schema.get("format") in _OF_FORMATS:
        return _OF_FORMATS[schema["format"]]
    if kind == "string":
        return "…" * max(1, schema.get("minLength", 1))
    return _OF_TYPES[kind]


def _items(schema: Schema, components: Mapping[str, Schema]) -> list[Any]:
    """Return example items of a list: as many as it must contain, but at least one. Items that must be unique are
    different values of their enumeration.
    """
    least, words = max(1, schema.get("minItems", 1)), schema["items"].get("enum", [])
    if schema.get("uniqueItems") and words:
        return list(words[:least])
    return [example_of(schema["items"], components)] * least
