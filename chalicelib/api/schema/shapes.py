"""Schemas of responses: named objects, and the kinds of their fields.

They are only documentation. The tests compare every response with its schema.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

Schema = dict[str, Any]


class Kind(Protocol):
    """The type of a value. Every Field of a request is also a Kind."""

    def schema(self) -> Schema:
        """Return the JSON Schema of the type; for a named object, a reference to it."""


@dataclass(frozen=True)
class String:
    """A string."""

    description: str = ""
    example: str = ""
    format: str = ""

    def schema(self) -> Schema:
        """Return the schema of a string."""
        form = {"format": self.format} if self.format else {}
        example = {"examples": [self.example]} if self.example else {}
        return {"type": "string", **form, **_description(self.description), **example}


@dataclass(frozen=True)
class DateTime:
    """A time in UTC, to the second."""

    description: str = ""

    def schema(self) -> Schema:
        """Return the schema of a date-time."""
        return {
            "type": "string",
            "format": "date-time",
            **_description(self.description),
            "examples": ["2021-12-20T10:00:00Z"],
        }


@dataclass(frozen=True)
class Number:
    """An integer that is not negative."""

    description: str = ""
    example: int | None = None

    def schema(self) -> Schema:
        """Return the schema of an integer."""
        example = {"examples": [self.example]} if self.example is not None else {}
        return {"type": "integer", "minimum": 0, **_description(self.description), **example}


@dataclass(frozen=True)
class Boolean:
    """A boolean, or the constant `fixed`."""

    description: str = ""
    fixed: bool | None = None

    def schema(self) -> Schema:
        """Return the schema of a boolean."""
        fixed = {"const": self.fixed} if self.fixed is not None else {}
        return {"type": "boolean", **fixed, **_description(self.description)}


@dataclass(frozen=True)
class StringList:
    """A list of strings. If `values` isn't empty, each string is one of them."""

    description: str = ""
    values: tuple[str, ...] = ()
    example: tuple[str, ...] = ()

    def schema(self) -> Schema:
        """Return the schema of an array of strings."""
        word: Schema = {"type": "string", "enum": list(self.values)} if self.values else {"type": "string"}
        example = {"examples": [list(self.example)]} if self.example else {}
        return {"type": "array", "items": word, **_description(self.description), **example}


@dataclass(frozen=True)
class Anything:
    """An object with any fields."""

    description: str = ""
    example: Mapping[str, Any] = field(default_factory=dict)

    def schema(self) -> Schema:
        """Return the schema of an object."""
        example = {"examples": [dict(self.example)]} if self.example else {}
        return {"type": "object", "additionalProperties": True, **_description(self.description), **example}


@dataclass(frozen=True)
class ListOf:
    """A list of values of one type."""

    kind: Kind
    description: str = ""

    def schema(self) -> Schema:
        """Return the schema of an array."""
        return {"type": "array", "items": self.kind.schema(), **_description(self.description)}


@dataclass(frozen=True)
class Nullable:
    """A value of a type, or null."""

    kind: Kind
    description: str = ""

    def schema(self) -> Schema:
        """Return the schema of the type, with null added."""
        one = self.kind.schema()
        if "$ref" in one or "anyOf" in one:
            return {"anyOf": [one, {"type": "null"}], **_description(self.description)}
        words = {"enum": [*one["enum"], None]} if "enum" in one else {}
        return {**one, "type": [one["type"], "null"], **words, **_description(self.description)}


@dataclass(frozen=True)
class AnyOf:
    """A value of one of several types."""

    kinds: tuple[Kind, ...]
    description: str = ""

    def schema(self) -> Schema:
        """Return the schema of the alternatives."""
        return {"anyOf": [kind.schema() for kind in self.kinds], **_description(self.description)}


@dataclass(frozen=True)
class Shape:
    """A named object, which is a component of the OpenAPI document."""

    name: str
    description: str
    fields: Mapping[str, Kind]
    optional: tuple[str, ...] = ()
    """Names of the fields that may be absent."""

    def schema(self) -> Schema:
        """Return a reference to the component."""
        return {"$ref": f"#/components/schemas/{self.name}"}

    def component(self) -> Schema:
        """Return the OpenAPI component. It allows unknown fields, because responses may gain fields at any time."""
        return {
            "type": "object",
            "description": self.description,
            "properties": {name: kind.schema() for name, kind in self.fields.items()},
            "required": [name for name in self.fields if name not in self.optional],
            "additionalProperties": True,
        }


ERROR = Shape(
    "Error",
    "An error.",
    {
        "error": String("The stable error code.", "invalid_request"),
        "message": String("The problem and what to do; may be reworded.", "name is missing."),
    },
)


def shapes_in(kind: Kind) -> Iterator[Shape]:
    """Yield every named object in `kind`, including `kind` itself."""
    if isinstance(kind, Shape):
        yield kind
        for inner in kind.fields.values():
            yield from shapes_in(inner)
    elif isinstance(kind, (ListOf, Nullable)):
        yield from shapes_in(kind.kind)
    elif isinstance(kind, AnyOf):
        for inner in kind.kinds:
            yield from shapes_in(inner)


def _description(description: str) -> Schema:
    return {"description": description} if description else {}
