"""Types of a JSON Schema as text for a table cell, with backticks around code."""

import re
from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]

_FORMATS = {"date-time": "date-time", "uri": "URL"}


def kind_of(schema: Schema) -> str:
    """Return the type of a value, with its bounds and default."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(kind_of(each) for each in schema["anyOf"])
    kinds = schema.get("type", "any type")
    first, *others = [kinds] if isinstance(kinds, str) else kinds
    typed = _type_as_text(first, schema)
    ending = f"; default `{schema['default']}`" if "default" in schema else ""
    return " or ".join((typed, *others)) + ending


def schemas_of(schema: Schema) -> Iterator[str]:
    """Yield the names of the schemas that a value can have."""
    if "$ref" in schema:
        yield schema["$ref"].rpartition("/")[2]
    for each in schema.get("anyOf", ()):
        yield from schemas_of(each)


def _type_as_text(kind: str, schema: Schema) -> str:
    if "enum" in schema:
        return _one_of([value for value in schema["enum"] if value is not None])
    if "const" in schema:
        return f"always `{str(schema['const']).lower()}`"
    if kind == "array":
        prefix = "one or more of " if schema.get("uniqueItems") else "list of "
        return prefix + kind_of(schema["items"]).removeprefix("one of ")
    if kind == "integer":
        return "integer" + (f", {schema['minimum']:,} to {schema['maximum']:,}" if "maximum" in schema else "")
    if kind == "string":
        return _string(schema)
    return kind


def _one_of(values: list[str]) -> str:
    listed = ", ".join(f"`{value}`" for value in values)
    return f"one of {listed}" if len(values) > 1 else listed


def _string(schema: Schema) -> str:
    prefix = re.match(r"\^([a-z]{3}_)\[", schema.get("pattern", ""))
    if prefix:
        return f"ID, `{prefix[1]}…`"
    if "maxLength" in schema and "format" not in schema:
        return f"string of {schema['minLength']:,} to {schema['maxLength']:,} characters"
    return _FORMATS.get(schema.get("format", ""), "string")
