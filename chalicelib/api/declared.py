"""What a route declares: what it takes, what it gives, what it refuses. One declaration checks requests and documents.

The edge reads a request by it before the view runs; `reference` makes /openapi.json, /docs and docs/rest-api.md of it.
Plain data, made when a blueprint is imported: the hot path must not pay for a document that nobody asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chalicelib.api.fields import Field, shown
from chalicelib.api.shapes import ERROR, Kind, Schema, Shape
from chalicelib.core import json_text
from chalicelib.core.errors import InvalidRequest, LatchkeyError

Fields = Mapping[str, Field]


@dataclass(frozen=True, slots=True)
class Body:
    """A JSON object: fields that must be there, and fields that may."""

    required: Fields = field(default_factory=dict)
    optional: Fields = field(default_factory=dict)
    least: int = 0
    """How many fields there must be at least."""
    may_be_empty: bool = False
    """Whether no body at all stands for an empty object."""

    @property
    def fields(self) -> Fields:
        """Return every field there is."""
        return {**self.required, **self.optional}

    def read(self, raw: bytes | str) -> dict[str, Any]:
        """Return the checked fields of a body, an absent one as its default.

        Raises InvalidRequest naming the field that is missing, unknown or wrong.
        """
        given = {} if self.may_be_empty and not raw else _object(raw)
        known = self.fields
        for name in given:
            if name not in known:
                raise InvalidRequest(f"Unknown field {shown(name)}; this request {_takes(known)}.")
        for name in self.required:
            if name not in given:
                raise InvalidRequest(f"{name} is missing.")
        if len(given) < self.least:
            raise InvalidRequest(_give_some(list(known)))
        return {name: kind.check(name, given[name]) if name in given else kind.default for name, kind in known.items()}


@dataclass(frozen=True, slots=True)
class Query:
    """The parameters of a URL, each of which may be left out; any other is refused, or a misspelt one would pass."""

    fields: Fields = field(default_factory=dict)

    def read(self, parameters: Mapping[str, str]) -> dict[str, Any]:
        """Return the checked parameters, an absent one as its default.

        Raises InvalidRequest naming the parameter that is unknown or wrong.
        """
        for name in parameters:
            if name not in self.fields:
                raise InvalidRequest(f"Unknown parameter {shown(name)}; this request {_takes(self.fields)}.")
        return {
            name: kind.read(name, parameters[name]) if name in parameters else kind.default
            for name, kind in self.fields.items()
        }


@dataclass(frozen=True, slots=True)
class Form:
    """A body that the view reads by a protocol of its own: described here, checked there."""

    required: Mapping[str, Kind] = field(default_factory=dict)
    optional: Mapping[str, Kind] = field(default_factory=dict)
    others: bool | Schema = True
    """What fields of other names may hold, which are ignored as the protocols' RFCs ask."""


@dataclass(frozen=True, slots=True)
class Listed(Form):
    """A JSON list of objects that the view reads by a protocol of its own."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One status that a route gives: what is in its body, and which headers it has beyond those of every answer."""

    shape: Kind | None = None
    about: str = ""
    headers: tuple[str, ...] = ()
    """Of `Link`, `Location`, `Cache-Control` and `ETag`."""
    media: str = "application/json"


@dataclass(frozen=True, slots=True)
class Declared:
    """All that a route says of itself beyond path, method and scope."""

    body: Body | Form | None = None
    query: Query | None = None
    """None leaves the query unread: whatever stands there is the view's to look at."""
    headers: Mapping[str, Kind] = field(default_factory=dict)
    """What its headers carry; documented only, each of them optional: the view reads them by a protocol of its own."""
    path: Fields = field(default_factory=dict)
    """What stands in the braces of its path; documented only, since an id of any other form is not found anyway."""
    gives: Mapping[int, Answer] = field(default_factory=dict)
    refuses: tuple[type[LatchkeyError], ...] = ()
    """What it may answer beyond what follows from its scope, body, query and path."""
    refusal: Shape = ERROR
    """The form of its refusals."""
    idempotency: str = ""
    """How it heeds an Idempotency-Key: RECORDED or CLAIMED; "" where it ignores one."""
    proofs: tuple[str, ...] = ()
    """How the caller of a public route may show who it is (names of security schemes); "" where it needn't."""


NOTHING_DECLARED = Declared()

RECORDED = "recorded"
"""The view records its answer in the transaction that makes something (`Exchange.recorded`)."""
CLAIMED = "claimed"
"""The edge claims the request before the view runs, and keeps its answer afterwards: for whatever a view does."""


def _takes(fields: Fields) -> str:
    return f"takes {', '.join(fields)}" if fields else "takes none"


def _give_some(names: list[str]) -> str:
    if len(names) == 2:
        return f"Give {names[0]}, {names[1]} or both."
    return f"Give one or more of {', '.join(names)}."


def _object(raw: bytes | str) -> dict[str, object]:
    try:
        text = raw.decode() if isinstance(raw, bytes) else raw
        given = json_text.read(text, of_object=_once, parse_constant=_no_constant)
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
