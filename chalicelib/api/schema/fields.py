"""Types of request values: each checks a value and documents itself as a JSON Schema.

A test proves that `check` and `schema` (JSON Schema as in OpenAPI 3.1) accept the same values.
"""

import re
from dataclasses import dataclass
from typing import Any, Protocol

from chalicelib.core import display_names, http_syntax, ids
from chalicelib.core.errors import InvalidRequest

Schema = dict[str, Any]


class Field(Protocol):
    """The type of a request value."""

    @property
    def default(self) -> Any:
        """Return the value for an absent field."""

    def check(self, name: str, value: object) -> Any:
        """Return the checked value; raise InvalidRequest with the name of the field."""

    def read(self, name: str, text: str) -> Any:
        """Parse and check the text of a query parameter; raise InvalidRequest with the name of the parameter."""

    def schema(self) -> Schema:
        """Return the JSON Schema of valid values."""


@dataclass(frozen=True)
class Text:
    """A string of `min_length` to `max_length` displayable characters (see `core.display_names`), without surrounding
    space.
    """

    max_length: int
    min_length: int = 1
    description: str = ""
    example: str = ""
    default: str | None = None

    def check(self, name: str, value: object) -> str:
        """Return the text without surrounding space."""
        if isinstance(value, str) and len(value) <= self.max_length and self._takes(value):
            return value.strip()
        raise InvalidRequest(f"{name} {self._problem(value)}.")

    def read(self, name: str, text: str) -> str:
        """Check a query parameter."""
        return self.check(name, text)

    def schema(self) -> Schema:
        """Return the schema of a string with bounds and a pattern."""
        bounds = {"minLength": self.min_length, "maxLength": self.max_length, "pattern": f"^{self._pattern}$"}
        return _with_documentation({"type": "string", **bounds}, self.description, self.example, self.default)

    def _takes(self, text: str) -> bool:
        return display_names.find_problem(text) is None and re.fullmatch(self._pattern, text) is not None

    def _problem(self, value: object) -> str:
        bounds = f"must be a text of {self.min_length} to {self.max_length} characters on one line"
        if not isinstance(value, str) or not self.min_length <= len(value.strip()) <= self.max_length:
            return bounds
        return (display_names.find_problem(value) if display_names.is_on_one_line(value) else None) or bounds

    @property
    def _pattern(self) -> str:
        """Return the pattern of a valid text, as a regular expression of Python and ECMA-262."""
        seen, inner, around = display_names.SEEN, display_names.ALLOWED, f"{display_names.UNSEEN}*"
        if self.min_length == 1:
            return f"{around}{seen}{inner}*"
        return f"{around}{seen}{inner}{{{self.min_length - 2},}}{seen}{around}"


@dataclass(frozen=True)
class Line:
    """A string of 1 to `max_length` characters. Every character that UTF-8 can encode is allowed."""

    max_length: int
    description: str = ""
    default: None = None

    def check(self, name: str, value: object) -> str:
        """Return the text."""
        if not isinstance(value, str) or not 1 <= len(value) <= self.max_length or not _is_encodable(value):
            raise InvalidRequest(f"{name} must be a text of 1 to {self.max_length} characters.")
        return value

    def read(self, name: str, text: str) -> str:
        """Check a query parameter."""
        return self.check(name, text)

    def schema(self) -> Schema:
        """Return the schema of a string with bounds."""
        return _with_documentation(
            {"type": "string", "minLength": 1, "maxLength": self.max_length}, self.description, "", None
        )


@dataclass(frozen=True)
class Integer:
    """An integer from `minimum` to `maximum`."""

    minimum: int
    maximum: int
    description: str = ""
    example: int | None = None
    default: int | None = None

    def check(self, name: str, value: object) -> int:
        """Return the integer. A float such as 1.0 is accepted, because it equals 1 in JSON."""
        whole = int(value) if isinstance(value, float) and value.is_integer() else value
        if isinstance(whole, bool) or not isinstance(whole, int) or not self.minimum <= whole <= self.maximum:
            raise InvalidRequest(f"{name} must be a whole number from {self.minimum} to {self.maximum}.")
        return whole

    def read(self, name: str, text: str) -> int:
        """Parse and check a query parameter."""
        return self.check(name, http_syntax.parse_integer(text))

    def schema(self) -> Schema:
        """Return the schema of an integer with bounds."""
        bounds = {"minimum": self.minimum, "maximum": self.maximum}
        return _with_documentation({"type": "integer", **bounds}, self.description, self.example, self.default)


@dataclass(frozen=True)
class Enum:
    """A string from `values`."""

    values: tuple[str, ...]
    description: str = ""
    example: str = ""
    default: str | None = None

    def check(self, name: str, value: object) -> str:
        """Return the value; raise InvalidRequest if it isn't valid for this field."""
        if not isinstance(value, str) or value not in self.values:
            raise InvalidRequest(f"{name} must be one of {', '.join(self.values)}.")
        return value

    def read(self, name: str, text: str) -> str:
        """Check a query parameter."""
        return self.check(name, text)

    def schema(self) -> Schema:
        """Return the schema of an enumeration."""
        return _with_documentation(
            {"type": "string", "enum": list(self.values)}, self.description, self.example, self.default
        )


@dataclass(frozen=True)
class EnumList:
    """A list of one or more different strings from `values`."""

    values: tuple[str, ...]
    description: str = ""
    example: tuple[str, ...] = ()
    default: None = None

    def check(self, name: str, value: object) -> list[str]:
        """Return the values in their documented order."""
        words = value if isinstance(value, list) else []
        known = [word for word in self.values if word in words]
        if not known or len(known) != len(words):
            raise InvalidRequest(f"{name} must be a list of one or more different words of {', '.join(self.values)}.")
        return known

    def read(self, name: str, text: str) -> list[str]:
        """Check a query parameter with comma-separated values."""
        return self.check(name, text.split(","))

    def schema(self) -> Schema:
        """Return the schema of an array of enumerated values."""
        words = {"type": "string", "enum": list(self.values)}
        array = {"type": "array", "items": words, "minItems": 1, "uniqueItems": True}
        return _with_documentation(array, self.description, list(self.example), None)


@dataclass(frozen=True)
class Id:
    """An id: a prefix of three letters, an underscore and twenty characters."""

    prefix: str
    description: str = ""
    default: None = None

    def check(self, name: str, value: object) -> str:
        """Return the id."""
        if not isinstance(value, str) or not ids.is_id(value, self.prefix):
            raise InvalidRequest(f"{name} must be an id that starts with {self.prefix}_.")
        return value

    def read(self, name: str, text: str) -> str:
        """Check a query parameter."""
        return self.check(name, text)

    def schema(self) -> Schema:
        """Return the schema of a string with the pattern of an id."""
        pattern = f"^{self.prefix}_[0-9A-Za-z]{{20}}$"
        example = f"{self.prefix}_0V5kqWn4Zr8TfYb2LcXd"
        return _with_documentation({"type": "string", "pattern": pattern}, self.description, example, None)


def _with_documentation(schema: Schema, description: str, example: Any, default: Any) -> Schema:
    documented = {"description": description} if description else {}
    documented_example = {"examples": [example]} if example not in (None, "", []) else {}
    return {**schema, **documented, **({} if default is None else {"default": default}), **documented_example}


def _is_encodable(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def escaped(name: str) -> str:
    """Return text from the caller truncated and in ASCII, so that an error message can repeat it safely."""
    return ascii(name[:40])
