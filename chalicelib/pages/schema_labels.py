"""What a JSON Schema says, in the words of a table's cell; code stands in backticks."""

import re
from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]

_FORMATS = {"date-time": "time", "uri": "URL"}


def kind_of(schema: Schema) -> str:
    """Return what a value may be."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(kind_of(each) for each in schema["anyOf"])
    kinds = schema.get("type", "anything")
    first, *others = [kinds] if isinstance(kinds, str) else kinds
    words = _of_type(first, schema)
    ending = f"; by default `{schema['default']}`" if "default" in schema else ""
    return " or ".join((words, *others)) + ending


def shapes_of(schema: Schema) -> Iterator[str]:
    """Yield the names of the shapes that a value may have."""
    if "$ref" in schema:
        yield schema["$ref"].rpartition("/")[2]
    for each in schema.get("anyOf", ()):
        yield from shapes_of(each)


def _of_type(kind: str, schema: Schema) -> str:
    if "enum" in schema:
        return _one_of([word for word in schema["enum"] if word is not None])
    if "const" in schema:
        return f"always `{str(schema['const']).lower()}`"
    if kind == "array":
        few = "one or more of " if schema.get("uniqueItems") else "list of "
        return few + kind_of(schema["items"]).removeprefix("one of ")
    if kind == "integer":
        return "whole number" + (f", {schema['minimum']:,} to {schema['maximum']:,}" if "maximum" in schema else "")
    if kind == "string":
        return _text(schema)
    return {"boolean": "true or false"}.get(kind, kind)


def _one_of(words: list[str]) -> str:
    shown = ", ".join(f"`{word}`" for word in words)
    return f"one of {shown}" if len(words) > 1 else shown


def _text(schema: Schema) -> str:
    prefix = re.match(r"\^([a-z]{3}_)\[", schema.get("pattern", ""))
    if prefix:
        return f"id, `{prefix[1]}…`"
    if "maxLength" in schema and "format" not in schema:
        return f"text of {schema['minLength']:,} to {schema['maxLength']:,} characters"
    return _FORMATS.get(schema.get("format", ""), "text")
