"""Compile and evaluate DynamoDB's condition and update expressions.

The simulation evaluates the expressions that the product sends, instead of a separate model of the limits.
"""

from dataclasses import dataclass
from functools import lru_cache

from infra.simulate.expression_parser import (
    CLAUSES,
    Change,
    Condition,
    InvalidError,
    Item,
    Names,
    Parser,
    Values,
    tokens,
)


@dataclass(frozen=True, slots=True)
class Update:
    """A compiled update: its changes, and the paths of the changed attributes as written in the expression."""

    changes: tuple[Change, ...]
    touched: tuple[str, ...]

    def apply(self, item: Item, names: Names, values: Values) -> Item:
        """Return the item after the update."""
        after = dict(item)
        for change in self.changes:
            change(item, after, names, values)
        return after


@lru_cache(maxsize=4_096)
def placeholders(*texts: str) -> frozenset[str]:
    """Return the `#name` and `:value` placeholders in some expressions."""
    return frozenset(token for text in texts for token in tokens(text) if token[0] in "#:")


@lru_cache(maxsize=4_096)
def condition(text: str) -> Condition:
    """Compile a condition."""
    parser = Parser(text)
    compiled = parser.any_of()
    parser.end()
    return compiled


@lru_cache(maxsize=4_096)
def update(text: str) -> Update:
    """Compile an update."""
    parser = Parser(text)
    changes: list[Change] = []
    touched: list[str] = []
    while parser.more():
        clause = parser.expect(*CLAUSES)
        while True:
            spelled, change = getattr(parser, clause.lower())()
            changes.append(change)
            touched.append(spelled)
            if not parser.accept(","):
                break
    if len(set(touched)) < len(touched):
        raise InvalidError(f"an attribute is changed twice: {text}")
    return Update(tuple(changes), tuple(touched))
