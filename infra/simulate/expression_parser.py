"""A parser for the subset of DynamoDB's condition and update expressions that the counters use.

It compiles each rule of the grammar into a function, and raises NotModelledError for syntax that it doesn't know, so
that a new kind of expression in the product stops the simulation.

The grammar is that of the DynamoDB developer guide, "Condition and filter expressions" and "Update expressions".
"""

import operator
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

Item = dict[str, dict[str, Any]]
Names = Mapping[str, str]
Values = Mapping[str, dict[str, Any]]
Condition = Callable[[Item, Names, Values], bool]
Operand = Callable[[Item, Names, Values], dict[str, Any] | None]
Change = Callable[[Item, Item, Names, Values], None]
"""A function that applies one change. It reads the item before the update and writes to the item after it."""

_TOKEN = re.compile(r"\s*([#:]?[A-Za-z_][A-Za-z0-9_]*|<>|<=|>=|[=<>(),+-])")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
CLAUSES = ("SET", "ADD", "REMOVE")


class NotModelledError(Exception):
    """The product sent an expression that the simulation can't evaluate."""


class InvalidError(Exception):
    """The product sent a request that DynamoDB would reject with a ValidationException."""


def resolve(spelled: str, names: Names) -> str:
    """Return the attribute name of a path, replacing a `#` placeholder."""
    if spelled[0] != "#":
        return spelled
    if spelled not in names:
        raise InvalidError(f"{spelled} is not among the names")
    return names[spelled]


def as_integer(value: Mapping[str, Any]) -> int:
    """Return the integer of a number attribute; counters are always integers."""
    if set(value) != {"N"}:
        raise InvalidError(f"{value} is not a number")
    return int(value["N"])


@lru_cache(maxsize=4_096)
def tokens(text: str) -> tuple[str, ...]:
    """Return the tokens of an expression."""
    found, at = [], 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            raise NotModelledError(f"can't read {text[at:]!r} of {text!r}")
        found.append(match[1])
        at = match.end()
    return tuple(found)


class Parser:
    """A recursive-descent parser: a method for each rule of the grammar, which compiles the rule into a function."""

    def __init__(self, text: str) -> None:
        """Start at the first token."""
        self._text, self._tokens, self._at = text, tokens(text), 0

    def more(self) -> bool:
        """Return whether there are tokens that haven't been consumed."""
        return self._at < len(self._tokens)

    def end(self) -> None:
        """Raise NotModelledError unless all tokens have been consumed."""
        if self.more():
            raise NotModelledError(f"can't read {self._tokens[self._at]!r} in {self._text!r}")

    def accept(self, token: str) -> bool:
        """Consume the next token if it equals the given one; return whether it did."""
        found = self.more() and self._tokens[self._at] == token
        self._at += found
        return found

    def expect(self, *tokens: str) -> str:
        """Consume the next token; raise NotModelledError if it isn't one of the allowed tokens."""
        if not self.more() or (tokens and self._tokens[self._at] not in tokens):
            raise NotModelledError(f"expected {' or '.join(tokens) or 'more'} in {self._text!r}")
        self._at += 1
        return self._tokens[self._at - 1]

    def any_of(self) -> Condition:
        """Parse conditions joined by OR."""
        parts = [self.all_of()]
        while self.accept("OR"):
            parts.append(self.all_of())
        return parts[0] if len(parts) == 1 else lambda *known: any(part(*known) for part in parts)

    def all_of(self) -> Condition:
        """Parse predicates joined by AND."""
        parts = [self.predicate()]
        while self.accept("AND"):
            parts.append(self.predicate())
        return parts[0] if len(parts) == 1 else lambda *known: all(part(*known) for part in parts)

    def predicate(self) -> Condition:
        """Parse a function, a comparison, or a condition in parentheses."""
        if self.accept("("):
            inner = self.any_of()
            self.expect(")")
            return inner
        if self.accept("attribute_exists"):
            there = self.path_in_parentheses()
            return lambda item, names, _: resolve(there, names) in item
        if self.accept("attribute_not_exists"):
            absent = self.path_in_parentheses()
            return lambda item, names, _: resolve(absent, names) not in item
        return self.comparison()

    def comparison(self) -> Condition:
        """Parse `operand comparator operand`; a comparison with a missing attribute is always false."""
        left, compare, right = self.operand(), _COMPARE[self.expect(*_COMPARE)], self.operand()

        def holds(item: Item, names: Names, values: Values) -> bool:
            one, other = left(item, names, values), right(item, names, values)
            return one is not None and other is not None and compare(as_integer(one), as_integer(other))

        return holds

    def path_in_parentheses(self) -> str:
        """Parse `(path)`."""
        self.expect("(")
        path = self.path()
        self.expect(")")
        return path

    def path(self) -> str:
        """Parse the path of a top-level attribute."""
        token = self.expect()
        if not (token[0] == "#" or token[0].isalpha()) or token in (*CLAUSES, "NOT", "BETWEEN", "IN", "size"):
            raise NotModelledError(f"{token!r} is not an attribute, in {self._text!r}")
        return token

    def value(self) -> str:
        """Parse an expression attribute value."""
        token = self.expect()
        if token[0] != ":":
            raise NotModelledError(f"{token!r} is not a value, in {self._text!r}")
        return token

    def operand(self) -> Operand:
        """Parse a value, a path or `if_not_exists`."""
        if self.more() and self._tokens[self._at][0] == ":":
            value = self.value()
            return lambda _, __, values: _value_of(value, values)
        if self.accept("if_not_exists"):
            return self.fallback()
        path = self.path()
        return lambda item, names, _: item.get(resolve(path, names))

    def fallback(self) -> Operand:
        """Parse the arguments of `if_not_exists`."""
        self.expect("(")
        path = self.path()
        self.expect(",")
        otherwise = self.operand()
        self.expect(")")
        return lambda item, names, values: item.get(resolve(path, names)) or otherwise(item, names, values)

    def set(self) -> tuple[str, Change]:
        """Parse one action of a SET clause."""
        path = self.path()
        self.expect("=")
        first = self.operand()
        sign = 1 if self.accept("+") else -1 if self.accept("-") else 0
        second = self.operand() if sign else None

        def change(before: Item, after: Item, names: Names, values: Values) -> None:
            put = _require(path, first(before, names, values))
            if second is not None:
                put = {"N": str(as_integer(put) + sign * as_integer(_require(path, second(before, names, values))))}
            after[resolve(path, names)] = put

        return path, change

    def add(self) -> tuple[str, Change]:
        """Parse one action of an ADD clause."""
        path, value = self.path(), self.value()

        def change(before: Item, after: Item, names: Names, values: Values) -> None:
            name = resolve(path, names)
            after[name] = _add(before.get(name), _value_of(value, values))

        return path, change

    def remove(self) -> tuple[str, Change]:
        """Parse one action of a REMOVE clause."""
        path = self.path()

        def change(_: Item, after: Item, names: Names, __: Values) -> None:
            after.pop(resolve(path, names), None)

        return path, change


def _add(there: dict[str, Any] | None, more: dict[str, Any]) -> dict[str, Any]:
    """Return the sum of two numbers or the union of two string sets; a missing attribute is 0 or empty."""
    if set(more) != {"SS"}:
        return {"N": str(as_integer(there or {"N": "0"}) + as_integer(more))}
    if not more["SS"] or (there is not None and set(there) != {"SS"}):
        raise InvalidError(f"{more} can't be added to {there}")
    return {"SS": sorted({*(there or more)["SS"], *more["SS"]})}


def _value_of(value: str, values: Values) -> dict[str, Any]:
    if value not in values:
        raise InvalidError(f"{value} is not among the values")
    return values[value]


def _require(path: str, value: dict[str, Any] | None) -> dict[str, Any]:
    if value is None:
        raise InvalidError(f"{path} is set to a missing attribute")
    return value
