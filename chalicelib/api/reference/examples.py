"""An example of anything that a schema describes, made from the examples in it."""

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]

_OF_FORMATS = {"uri": "https://api.latchkey.test/"}
_OF_TYPES: dict[str, Any] = {"string": "…", "integer": 0, "boolean": True, "object": {}, "array": [], "null": None}


def example_of(schema: Schema, components: Mapping[str, Schema]) -> Any:
    """Return a value that the schema takes; `components` are the named shapes that it may refer to."""
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
    return _of_type(kind if isinstance(kind, str) else kind[0], schema, components)


def _of_type(kind: str, schema: Schema, components: Mapping[str, Schema]) -> Any:
    if kind == "object":
        return {name: example_of(each, components) for name, each in schema.get("properties", {}).items()}
    if kind == "array":
        return [example_of(schema["items"], components)]
    if kind == "string" and schema.get("format") in _OF_FORMATS:
        return _OF_FORMATS[schema["format"]]
    return _OF_TYPES[kind]
