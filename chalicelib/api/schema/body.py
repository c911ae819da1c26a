"""Typed request bodies and queries: a class declares the fields, an instance contains the checked values.

    class NewKey(Body):
        name: str = required(Text(max_length=64))
        expires_in_s: int | None = optional(Integer(60, 86_400))

A view gets a body or query by annotating a parameter called `body` or `query`. The annotations are for mypy. The kinds
of the fields check requests, and /openapi.json is generated from them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, Self

from chalicelib.api.schema.fields import Field, escaped
from chalicelib.api.schema.shapes import Kind, Schema
from chalicelib.core import json_text
from chalicelib.core.errors import InvalidRequest

Fields = Mapping[str, Field]


class _Declared(NamedTuple):
    kind: Field
    is_required: bool


def required(kind: Field) -> Any:
    """Declare a field that must be present."""
    return _Declared(kind, is_required=True)


def optional(kind: Field) -> Any:
    """Declare a field that may be absent. The attribute then contains the default value of `kind`."""
    return _Declared(kind, is_required=False)


class _FieldSet:
    """Named fields. Class attributes declare them, instance attributes contain the checked values."""

    required_fields: ClassVar[Fields] = {}
    optional_fields: ClassVar[Fields] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        declared = {name: value for name, value in vars(cls).items() if isinstance(value, _Declared)}
        cls.required_fields = {**cls.required_fields, **{n: d.kind for n, d in declared.items() if d.is_required}}
        cls.optional_fields = {**cls.optional_fields, **{n: d.kind for n, d in declared.items() if not d.is_required}}

    @classmethod
    def fields(cls) -> Fields:
        """Return every field by name."""
        return {**cls.required_fields, **cls.optional_fields}

    @classmethod
    def _check_names(cls, names: Iterable[str], what: str) -> Fields:
        """Return every field; raise InvalidRequest if `names` contains a name that isn't declared.

        `what` is the word for a field in the message.
        """
        known = cls.fields()
        for name in names:
            if name not in known:
                raise InvalidRequest(f"Unknown {what} {escaped(name)}; this request {_list_names(known)}.")
        return known

    @classmethod
    def _of(cls, values: Mapping[str, Any]) -> Self:
        instance = cls()
        vars(instance).update(values)
        return instance


class Body(_FieldSet):
    """A JSON object.

    A subclass may pass two class arguments. `least` is the minimum number of fields. If `may_be_empty` is True, an
    empty body is read as `{}`.
    """

    least: ClassVar[int] = 0
    may_be_empty: ClassVar[bool] = False

    def __init_subclass__(cls, *, least: int = 0, may_be_empty: bool = False) -> None:
        super().__init_subclass__()
        cls.least, cls.may_be_empty = least, may_be_empty

    @classmethod
    def read(cls, raw: bytes | str) -> Self:
        """Parse and check a request body.

        Raises InvalidRequest with the name of the first field that is missing, unknown or invalid.
        """
        values = {} if cls.may_be_empty and not raw else _object(raw)
        known = cls._check_names(values, "field")
        for name in cls.required_fields:
            if name not in values:
                raise InvalidRequest(f"{name} is missing.")
        if len(values) < cls.least:
            raise InvalidRequest(_explain_too_few(list(known)))
        return cls._of(
            {name: kind.check(name, values[name]) if name in values else kind.default for name, kind in known.items()}
        )


class Empty(Body, may_be_empty=True):
    """An empty body or an empty object."""


class Query(_FieldSet):
    """The query parameters, which are all optional. An unknown parameter is an error: otherwise a misspelt one would be
    ignored silently.
    """

    @classmethod
    def read(cls, parameters: Mapping[str, str]) -> Self:
        """Check the query parameters.

        Raises InvalidRequest with the name of the first parameter that is unknown or invalid.
        """
        known = cls._check_names(parameters, "parameter")
        return cls._of(
            {
                name: kind.read(name, parameters[name]) if name in parameters else kind.default
                for name, kind in known.items()
            }
        )


@dataclass(frozen=True, slots=True)
class Form:
    """A request body whose format a protocol defines, such as an OAuth form. The view parses the body; the fields
    declared here only document it.
    """

    required_fields: Mapping[str, Kind] = field(default_factory=dict)
    optional_fields: Mapping[str, Kind] = field(default_factory=dict)
    others: bool | Schema = True
    """The schema of undeclared fields. The view ignores such fields, as the protocols' RFCs require."""

    def fields(self) -> Mapping[str, Kind]:
        """Return every field by name."""
        return {**self.required_fields, **self.optional_fields}


@dataclass(frozen=True, slots=True)
class FormList(Form):
    """A JSON list of objects whose format a protocol defines. The view parses the list; the fields declared here only
    document it.
    """


def _list_names(fields: Fields) -> str:
    return f"takes {', '.join(fields)}" if fields else "takes none"


def _explain_too_few(names: list[str]) -> str:
    if len(names) == 2:
        return f"Give {names[0]}, {names[1]} or both."
    return f"Give one or more of {', '.join(names)}."


def _object(raw: bytes | str) -> dict[str, object]:
    try:
        text = raw.decode() if isinstance(raw, bytes) else raw
        parsed = json_text.read(text, of_object=_unique, parse_constant=_no_constant)
    except RecursionError:
        raise InvalidRequest("The body is nested too deeply.") from None
    except ValueError:
        raise InvalidRequest("The body must be a JSON object.") from None
    if not isinstance(parsed, dict):
        raise InvalidRequest("The body must be a JSON object.")
    return parsed


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise InvalidRequest("The body names a field twice.")
    return fields


def _no_constant(word: str) -> None:
    raise ValueError(word)
