"""What a request may carry: each field says what it takes, and refuses anything else by name."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from unicodedata import category

from chalicelib.core.errors import InvalidRequest


class Field(Protocol):
    """One kind of value. `check` returns it, or raises InvalidRequest naming the field."""

    def check(self, name: str, value: object) -> Any:
        """Return `value` as the view may use it."""


@dataclass(frozen=True)
class Text:
    """A string of `least` to `most` characters, none of them a control character, spaces around it dropped."""

    most: int
    least: int = 1

    def check(self, name: str, value: object) -> str:
        """Return the text without spaces around it."""
        text = value.strip() if isinstance(value, str) else ""
        # Cc: control characters; Cs: half of a surrogate pair, which no UTF-8 can carry.
        if not self.least <= len(text) <= self.most or any(category(character) in ("Cc", "Cs") for character in text):
            raise InvalidRequest(f"{name} must be a text of {self.least} to {self.most} characters on one line.")
        return text


@dataclass(frozen=True)
class Whole:
    """A whole number from `least` to `most`."""

    least: int
    most: int

    def check(self, name: str, value: object) -> int:
        """Return the number."""
        if isinstance(value, bool) or not isinstance(value, int) or not self.least <= value <= self.most:
            raise InvalidRequest(f"{name} must be a whole number from {self.least} to {self.most}.")
        return value


@dataclass(frozen=True)
class OneOf:
    """One of a few words."""

    words: tuple[str, ...]

    def check(self, name: str, value: object) -> str:
        """Return the word."""
        if not isinstance(value, str) or value not in self.words:
            raise InvalidRequest(f"{name} must be one of {', '.join(self.words)}.")
        return value


@dataclass(frozen=True)
class SomeOf:
    """A list of one or more different words."""

    words: tuple[str, ...]

    def check(self, name: str, value: object) -> list[str]:
        """Return the words in the order in which they are documented."""
        given = value if isinstance(value, list) else []
        known = [word for word in self.words if word in given]
        if not known or len(known) != len(given):
            raise InvalidRequest(f"{name} must be a list of one or more different words of {', '.join(self.words)}.")
        return known


def read_body(raw: bytes | str, required: Mapping[str, Field], optional: Mapping[str, Field]) -> dict[str, Any]:
    """Return the checked fields of a JSON body; an optional field that is absent is None.

    Raises InvalidRequest naming the field that is missing, unknown or wrong.
    """
    given = _object(raw)
    known = {**required, **optional}
    for name in given:
        if name not in known:
            raise InvalidRequest(f"Unknown field {_shown(name)}; this request takes {', '.join(known)}.")
    for name in required:
        if name not in given:
            raise InvalidRequest(f"{name} is missing.")
    return {name: field.check(name, given[name]) if name in given else None for name, field in known.items()}


def whole_parameter(parameters: Mapping[str, str], name: str, field: Whole, default: int) -> int:
    """Return a whole number from the query, `default` when it isn't there."""
    text = parameters.get(name)
    if text is None:
        return default
    return field.check(name, int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None)


def known_parameters(parameters: Mapping[str, str], *known: str) -> None:
    """Refuse a query parameter that this route doesn't have: a misspelt `limit` must not pass in silence."""
    for name in parameters:
        if name not in known:
            takes = f"takes {', '.join(known)}" if known else "takes none"
            raise InvalidRequest(f"Unknown parameter {_shown(name)}; this request {takes}.")


def _object(raw: bytes | str) -> dict[str, object]:
    try:
        text = raw.decode() if isinstance(raw, bytes) else raw
        given = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except RecursionError:
        raise InvalidRequest("The body is nested too deeply.") from None
    except ValueError:
        raise InvalidRequest("The body must be a JSON object.") from None
    if not isinstance(given, dict):
        raise InvalidRequest("The body must be a JSON object.")
    return given


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise InvalidRequest("The body names a field twice.")
    return fields


def _no_constant(word: str) -> None:
    raise ValueError(word)


def _shown(name: str) -> str:
    """A stranger's text, short and in ASCII, safe to repeat in a message."""
    return ascii(name[:40])
