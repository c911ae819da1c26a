"""DynamoDB's expressions, as far as the counters use them: what a condition asks, what an update does.

An interpreter rather than a model: it is given the very text that the admission sends. What it doesn't know it refuses,
so a new kind of expression in the product stops the simulation instead of being guessed at.

The grammar is that of the DynamoDB developer guide, "Condition and filter expressions" and "Update expressions".
"""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

Item = dict[str, dict[str, Any]]
Names = Mapping[str, str]
Values = Mapping[str, dict[str, Any]]
Condition = Callable[[Item, Names, Values], bool]
Operand = Callable[[Item, Names, Values], dict[str, Any] | None]
Change = Callable[[Item, Item, Names, Values], None]
"""Given the item as it was and the one in the making: every clause sees the item as it was."""

_TOKEN = re.compile(r"\s*([#:]?[A-Za-z_][A-Za-z0-9_]*|<>|<=|>=|[=<>(),+-])")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_CLAUSES = ("SET", "ADD", "REMOVE")


class NotModelledError(Exception):
    """The product sent something that the simulation can't evaluate."""


class InvalidError(Exception):
    """The product sent something that DynamoDB would refuse as invalid."""


@dataclass(frozen=True, slots=True)
class Update:
    """A compiled update: its changes, and the attributes it touches as they are spelled."""

    changes: tuple[Change, ...]
    touched: tuple[str, ...]

    def applied(self, item: Item, names: Names, values: Values) -> Item:
        """Return the item as it is afterwards."""
        after = dict(item)
        for change in self.changes:
            change(item, after, names, values)
        return after


@lru_cache(maxsize=4_096)
def placeholders(*texts: str) -> frozenset[str]:
    """Return the names and values that expressions refer to."""
    return frozenset(token for text in texts for token in _tokens(text) if token[0] in "#:")


@lru_cache(maxsize=4_096)
def condition(text: str) -> Condition:
    """Compile a condition."""
    parser = _Parser(text)
    compiled = parser.any_of()
    parser.end()
    return compiled


@lru_cache(maxsize=4_096)
def update(text: str) -> Update:
    """Compile an update."""
    parser = _Parser(text)
    changes: list[Change] = []
    touched: list[str] = []
    while parser.more():
        clause = parser.one_of(*_CLAUSES)
        while True:
            spelled, change = getattr(parser, clause.lower())()
            changes.append(change)
            touched.append(spelled)
            if not parser.took(","):
                break
    if len(set(touched)) < len(touched):
        raise InvalidError(f"one attribute is changed twice: {text}")
    return Update(tuple(changes), tuple(touched))


def resolve(spelled: str, names: Names) -> str:
    """Return the attribute that a path in an expression means."""
    if spelled[0] != "#":
        return spelled
    if spelled not in names:
        raise InvalidError(f"{spelled} is not among the names")
    return names[spelled]


def whole(value: Mapping[str, Any]) -> int:
    """Return a number; the counters are whole."""
    if set(value) != {"N"}:
        raise InvalidError(f"{value} is no number")
    return int(value["N"])


@lru_cache(maxsize=4_096)
def _tokens(text: str) -> tuple[str, ...]:
    found, at = [], 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            raise NotModelledError(f"can't read {text[at:]!r} of {text!r}")
        found.append(match[1])
        at = match.end()
    return tuple(found)


class _Parser:
    """One method a rule of the grammar; each compiles what it reads into a function."""

    def __init__(self, text: str) -> None:
        self._text, self._tokens, self._at = text, _tokens(text), 0

    def more(self) -> bool:
        return self._at < len(self._tokens)

    def end(self) -> None:
        if self.more():
            raise NotModelledError(f"can't read {self._tokens[self._at]!r} in {self._text!r}")

    def took(self, token: str) -> bool:
        """Take the next token if it is this one."""
        found = self.more() and self._tokens[self._at] == token
        self._at += found
        return found

    def one_of(self, *tokens: str) -> str:
        """Take the next token, which must be among these, or any when none is named."""
        if not self.more() or (tokens and self._tokens[self._at] not in tokens):
            raise NotModelledError(f"expected {' or '.join(tokens) or 'more'} in {self._text!r}")
        self._at += 1
        return self._tokens[self._at - 1]

    def any_of(self) -> Condition:
        parts = [self.all_of()]
        while self.took("OR"):
            parts.append(self.all_of())
        return parts[0] if len(parts) == 1 else lambda *known: any(part(*known) for part in parts)

    def all_of(self) -> Condition:
        parts = [self.predicate()]
        while self.took("AND"):
            parts.append(self.predicate())
        return parts[0] if len(parts) == 1 else lambda *known: all(part(*known) for part in parts)

    def predicate(self) -> Condition:
        if self.took("("):
            inner = self.any_of()
            self.one_of(")")
            return inner
        if self.took("attribute_exists"):
            there = self.path_in_parentheses()
            return lambda item, names, _: resolve(there, names) in item
        if self.took("attribute_not_exists"):
            absent = self.path_in_parentheses()
            return lambda item, names, _: resolve(absent, names) not in item
        return self.comparison()

    def comparison(self) -> Condition:
        left, compare, right = self.operand(), _COMPARE[self.one_of(*_COMPARE)], self.operand()

        def holds(item: Item, names: Names, values: Values) -> bool:
            one, other = left(item, names, values), right(item, names, values)
            # An attribute that isn't there compares as false with everything.
            return one is not None and other is not None and compare(whole(one), whole(other))

        return holds

    def path_in_parentheses(self) -> str:
        self.one_of("(")
        path = self.path()
        self.one_of(")")
        return path

    def path(self) -> str:
        token = self.one_of()
        if not (token[0] == "#" or token[0].isalpha()) or token in (*_CLAUSES, "NOT", "BETWEEN", "IN", "size"):
            raise NotModelledError(f"{token!r} is no attribute, in {self._text!r}")
        return token

    def value(self) -> str:
        token = self.one_of()
        if token[0] != ":":
            raise NotModelledError(f"{token!r} is no value, in {self._text!r}")
        return token

    def operand(self) -> Operand:
        if self.more() and self._tokens[self._at][0] == ":":
            value = self.value()
            return lambda _, __, values: _given(value, values)
        if self.took("if_not_exists"):
            return self.fallback()
        path = self.path()
        return lambda item, names, _: item.get(resolve(path, names))

    def fallback(self) -> Operand:
        self.one_of("(")
        path = self.path()
        self.one_of(",")
        otherwise = self.operand()
        self.one_of(")")
        return lambda item, names, values: item.get(resolve(path, names)) or otherwise(item, names, values)

    def set(self) -> tuple[str, Change]:
        path = self.path()
        self.one_of("=")
        first = self.operand()
        sign = 1 if self.took("+") else -1 if self.took("-") else 0
        second = self.operand() if sign else None

        def change(before: Item, after: Item, names: Names, values: Values) -> None:
            put = _there(path, first(before, names, values))
            if second is not None:
                put = {"N": str(whole(put) + sign * whole(_there(path, second(before, names, values))))}
            after[resolve(path, names)] = put

        return path, change

    def add(self) -> tuple[str, Change]:
        path, value = self.path(), self.value()

        def change(before: Item, after: Item, names: Names, values: Values) -> None:
            name = resolve(path, names)
            after[name] = _added(before.get(name), _given(value, values))

        return path, change

    def remove(self) -> tuple[str, Change]:
        path = self.path()

        def change(_: Item, after: Item, names: Names, __: Values) -> None:
            after.pop(resolve(path, names), None)

        return path, change


def _added(there: dict[str, Any] | None, more: dict[str, Any]) -> dict[str, Any]:
    """Return a number and another, or the union of two sets of strings; what isn't there is 0 or empty."""
    if set(more) != {"SS"}:
        return {"N": str(whole(there or {"N": "0"}) + whole(more))}
    if not more["SS"] or (there is not None and set(there) != {"SS"}):
        raise InvalidError(f"{more} can't be added to {there}")
    return {"SS": sorted({*(there or more)["SS"], *more["SS"]})}


def _given(value: str, values: Values) -> dict[str, Any]:
    if value not in values:
        raise InvalidError(f"{value} is not among the values")
    return values[value]


def _there(path: str, value: dict[str, Any] | None) -> dict[str, Any]:
    if value is None:
        raise InvalidError(f"{path} is set to an attribute that isn't there")
    return value
