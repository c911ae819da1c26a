"""Sets of strings in the simulation's expressions: what the admission adds of routes."""

import pytest

from infra.simulate import expressions
from infra.simulate.expression_parser import InvalidError, Item


def added(item: Item, more: dict[str, object]) -> dict[str, object]:
    """Return what an ADD makes of an attribute."""
    return expressions.update("ADD #r :more").apply(item, {"#r": "rAAA"}, {":more": more})["rAAA"]


def test_add_makes_a_set_and_unites_it() -> None:
    """An ADD to what isn't there makes the set; what is in it already is in it once."""
    assert added({}, {"SS": ["b"]}) == {"SS": ["b"]}
    assert added({"rAAA": {"SS": ["a", "b"]}}, {"SS": ["b", "c"]}) == {"SS": ["a", "b", "c"]}


@pytest.mark.parametrize(("there", "more"), [({"N": "1"}, {"SS": ["a"]}), ({"SS": ["a"]}, {"N": "1"})])
def test_add_of_a_set_to_a_number_is_invalid(there: dict[str, object], more: dict[str, object]) -> None:
    """DynamoDB refuses it, and so does the simulation."""
    with pytest.raises(InvalidError):
        added({"rAAA": there}, more)
