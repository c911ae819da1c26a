"""What an answer carries, told field by field: named shapes, and the kinds of value in them.

They describe and never check: production trusts its views, the tests hold every answer to its shape.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

Schema = dict[str, Any]


class Kind(Protocol):
    """One kind of value in an answer. Every Field of a request is one, too."""

    def schema(self) -> Schema:
        """Return its JSON Schema; a named shape returns a reference to itself."""


@dataclass(frozen=True)
class String:
    """A text."""

    description: str = ""
    example: str = ""
    format: str = ""

    def schema(self) -> Schema:
        """Return a string."""
        form = {"format": self.format} if self.format else {}
        shown = {"examples": [self.example]} if self.example else {}
        return {"type": "string", **form, **_description(self.description), **shown}


@dataclass(frozen=True)
class DateTime:
    """A time, in UTC to the second."""

    description: str = ""

    def schema(self) -> Schema:
        """Return a date-time."""
        return {
            "type": "string",
            "format": "date-time",
            **_description(self.description),
            "examples": ["2021-12-20T10:00:00Z"],
        }


@dataclass(frozen=True)
class Number:
    """A whole number that is never negative."""

    description: str = ""
    example: int | None = None

    def schema(self) -> Schema:
        """Return an integer."""
        shown = {"examples": [self.example]} if self.example is not None else {}
        return {"type": "integer", "minimum": 0, **_description(self.description), **shown}


@dataclass(frozen=True)
class Boolean:
    """Yes or no; always `fixed`, where that is given."""

    description: str = ""
    fixed: bool | None = None

    def schema(self) -> Schema:
        """Return a boolean."""
        fixed = {"const": self.fixed} if self.fixed is not None else {}
        return {"type": "boolean", **fixed, **_description(self.description)}


@dataclass(frozen=True)
class StringList:
    """A list of texts, each of `words` where those are given."""

    description: str = ""
    values: tuple[str, ...] = ()
    example: tuple[str, ...] = ()

    def schema(self) -> Schema:
        """Return an array of strings."""
        word: Schema = {"type": "string", "enum": list(self.values)} if self.values else {"type": "string"}
        shown = {"examples": [list(self.example)]} if self.example else {}
        return {"type": "array", "items": word, **_description(self.description), **shown}


@dataclass(frozen=True)
class Anything:
    """An object whose names depend on what it tells of."""

    description: str = ""
    example: Mapping[str, Any] = field(default_factory=dict)

    def schema(self) -> Schema:
        """Return an object of whatever."""
        shown = {"examples": [dict(self.example)]} if self.example else {}
        return {"type": "object", "additionalProperties": True, **_description(self.description), **shown}


@dataclass(frozen=True)
class ListOf:
    """A list of one kind."""

    kind: Kind
    description: str = ""

    def schema(self) -> Schema:
        """Return an array."""
        return {"type": "array", "items": self.kind.schema(), **_description(self.description)}


@dataclass(frozen=True)
class Nullable:
    """A kind that may be absent, and then is null."""

    kind: Kind
    description: str = ""

    def schema(self) -> Schema:
        """Return the kind's schema, with null."""
        one = self.kind.schema()
        if "$ref" in one or "anyOf" in one:
            return {"anyOf": [one, {"type": "null"}], **_description(self.description)}
        words = {"enum": [*one["enum"], None]} if "enum" in one else {}
        return {**one, "type": [one["type"], "null"], **words, **_description(self.description)}


@dataclass(frozen=True)
class AnyOf:
    """One of several shapes."""

    kinds: tuple[Kind, ...]
    description: str = ""

    def schema(self) -> Schema:
        """Return the alternatives."""
        return {"anyOf": [kind.schema() for kind in self.kinds], **_description(self.description)}


@dataclass(frozen=True)
class Shape:
    """An object with a name of its own: a component of the document."""

    name: str
    description: str
    fields: Mapping[str, Kind]
    optional: tuple[str, ...] = ()
    """Which of its fields may be absent."""

    def schema(self) -> Schema:
        """Return a reference to it."""
        return {"$ref": f"#/components/schemas/{self.name}"}

    def component(self) -> Schema:
        """Return what the reference leads to. An answer may gain fields at any time, so a reader must ignore others."""
        return {
            "type": "object",
            "description": self.description,
            "properties": {name: kind.schema() for name, kind in self.fields.items()},
            "required": [name for name in self.fields if name not in self.optional],
            "additionalProperties": True,
        }


ERROR = Shape(
    "Error",
    "A refusal.",
    {
        "error": String("The code, for programs; it stays what it is.", "invalid_request"),
        "message": String("What was wrong and what to do, for people; it may be worded anew.", "name is missing."),
    },
)


def shapes_in(kind: Kind) -> Iterator[Shape]:
    """Yield every named shape in `kind`, itself included."""
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
