"""What a request may carry: each field says what it takes, refuses anything else by name, and tells both in a schema.

A field's `schema` (JSON Schema, as OpenAPI 3.1 has it) stands beside its `check`, and one test holds the two equal.
"""

import re
from dataclasses import dataclass
from typing import Any, Protocol

from chalicelib.core import display_names, http_syntax, ids
from chalicelib.core.errors import InvalidRequest

Schema = dict[str, Any]


class Field(Protocol):
    """One kind of value."""

    @property
    def default(self) -> Any:
        """Return what the view sees when the value is absent."""

    def check(self, name: str, value: object) -> Any:
        """Return `value` as the view may use it, or raise InvalidRequest naming the field."""

    def read(self, name: str, text: str) -> Any:
        """Return the same of a value that is text, since it stands in a URL."""

    def schema(self) -> Schema:
        """Return the JSON Schema of the values that `check` takes."""


@dataclass(frozen=True)
class Text:
    """A string of `least` to `most` characters that can be shown (`core.display_names`), spaces around it dropped."""

    most: int
    least: int = 1
    about: str = ""
    example: str = ""
    default: str | None = None

    def check(self, name: str, value: object) -> str:
        """Return the text without spaces around it."""
        if isinstance(value, str) and len(value) <= self.most and self._takes(value):
            return value.strip()
        raise InvalidRequest(f"{name} {self._problem(value)}.")

    def read(self, name: str, text: str) -> str:
        """Return the same of a value in a URL."""
        return self.check(name, text)

    def schema(self) -> Schema:
        """Return a string with bounds and a pattern."""
        bounds = {"minLength": self.least, "maxLength": self.most, "pattern": f"^{self._pattern}$"}
        return _described({"type": "string", **bounds}, self.about, self.example, self.default)

    def _takes(self, text: str) -> bool:
        return display_names.problem(text) is None and re.fullmatch(self._pattern, text) is not None

    def _problem(self, value: object) -> str:
        bounds = f"must be a text of {self.least} to {self.most} characters on one line"
        if not isinstance(value, str) or not self.least <= len(value.strip()) <= self.most:
            return bounds
        return (display_names.problem(value) if display_names.is_on_one_line(value) else None) or bounds

    @property
    def _pattern(self) -> str:
        """Return what `least` characters from the first to the last that is seen are, for Python and ECMA-262."""
        seen, inner, around = display_names.SEEN, display_names.ALLOWED, f"{display_names.UNSEEN}*"
        if self.least == 1:
            return f"{around}{seen}{inner}*"
        return f"{around}{seen}{inner}{{{self.least - 2},}}{seen}{around}"


@dataclass(frozen=True)
class Line:
    """A string of 1 to `most` characters as it came, whatever they are: who reads it knows what belongs to it."""

    most: int
    about: str = ""
    default: None = None

    def check(self, name: str, value: object) -> str:
        """Return the text."""
        if not isinstance(value, str) or not 1 <= len(value) <= self.most or not _is_whole(value):
            raise InvalidRequest(f"{name} must be a text of 1 to {self.most} characters.")
        return value

    def read(self, name: str, text: str) -> str:
        """Return the same of a value in a URL."""
        return self.check(name, text)

    def schema(self) -> Schema:
        """Return a string with bounds."""
        return _described({"type": "string", "minLength": 1, "maxLength": self.most}, self.about, "", None)


@dataclass(frozen=True)
class Integer:
    """A whole number from `least` to `most`."""

    least: int
    most: int
    about: str = ""
    example: int | None = None
    default: int | None = None

    def check(self, name: str, value: object) -> int:
        """Return the number; 1.0 is 1, as it is in JSON."""
        whole = int(value) if isinstance(value, float) and value.is_integer() else value
        if isinstance(whole, bool) or not isinstance(whole, int) or not self.least <= whole <= self.most:
            raise InvalidRequest(f"{name} must be a whole number from {self.least} to {self.most}.")
        return whole

    def read(self, name: str, text: str) -> int:
        """Return the same of digits in a URL."""
        return self.check(name, http_syntax.whole(text))

    def schema(self) -> Schema:
        """Return an integer with bounds."""
        bounds = {"minimum": self.least, "maximum": self.most}
        return _described({"type": "integer", **bounds}, self.about, self.example, self.default)


@dataclass(frozen=True)
class Enum:
    """One of a few words."""

    words: tuple[str, ...]
    about: str = ""
    example: str = ""
    default: str | None = None

    def check(self, name: str, value: object) -> str:
        """Return the word."""
        if not isinstance(value, str) or value not in self.words:
            raise InvalidRequest(f"{name} must be one of {', '.join(self.words)}.")
        return value

    def read(self, name: str, text: str) -> str:
        """Return the same of a word in a URL."""
        return self.check(name, text)

    def schema(self) -> Schema:
        """Return a string with an enumeration."""
        return _described({"type": "string", "enum": list(self.words)}, self.about, self.example, self.default)


@dataclass(frozen=True)
class EnumList:
    """A list of one or more different words."""

    words: tuple[str, ...]
    about: str = ""
    example: tuple[str, ...] = ()
    default: None = None

    def check(self, name: str, value: object) -> list[str]:
        """Return the words in the order in which they are documented."""
        given = value if isinstance(value, list) else []
        known = [word for word in self.words if word in given]
        if not known or len(known) != len(given):
            raise InvalidRequest(f"{name} must be a list of one or more different words of {', '.join(self.words)}.")
        return known

    def read(self, name: str, text: str) -> list[str]:
        """Return the same of words in a URL, with commas between."""
        return self.check(name, text.split(","))

    def schema(self) -> Schema:
        """Return an array of an enumeration."""
        words = {"type": "string", "enum": list(self.words)}
        array = {"type": "array", "items": words, "minItems": 1, "uniqueItems": True}
        return _described(array, self.about, list(self.example), None)


@dataclass(frozen=True)
class Id:
    """An id of ours: three letters that say of what, and twenty characters."""

    prefix: str
    about: str = ""
    default: None = None

    def check(self, name: str, value: object) -> str:
        """Return the id."""
        if not isinstance(value, str) or not ids.is_id(value, self.prefix):
            raise InvalidRequest(f"{name} must be an id that starts with {self.prefix}_.")
        return value

    def read(self, name: str, text: str) -> str:
        """Return the same of an id in a URL."""
        return self.check(name, text)

    def schema(self) -> Schema:
        """Return a string with the pattern of an id."""
        pattern = f"^{self.prefix}_[0-9A-Za-z]{{20}}$"
        example = f"{self.prefix}_0V5kqWn4Zr8TfYb2LcXd"
        return _described({"type": "string", "pattern": pattern}, self.about, example, None)


def _described(schema: Schema, about: str, example: Any, default: Any) -> Schema:
    told = {"description": about} if about else {}
    shown = {"examples": [example]} if example not in (None, "", []) else {}
    return {**schema, **told, **({} if default is None else {"default": default}), **shown}


def _is_whole(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def shown(name: str) -> str:
    """Return a stranger's text, short and in ASCII, safe to repeat in a message."""
    return ascii(name[:40])
