"""String sets in the simulated table, to which an admission adds routes."""

import pytest

from infra.simulate import expressions
from infra.simulate.expression_parser import InvalidError, Item


def apply_add(item: Item, more: dict[str, object]) -> dict[str, object]:
    """Return an attribute after an update with ADD."""
    return expressions.update("ADD #r :more").apply(item, {"#r": "rAAA"}, {":more": more})["rAAA"]


def test_add_creates_and_extends_a_set() -> None:
    """ADD creates a missing set, and doesn't duplicate existing members."""
    assert apply_add({}, {"SS": ["b"]}) == {"SS": ["b"]}
    assert apply_add({"rAAA": {"SS": ["a", "b"]}}, {"SS": ["b", "c"]}) == {"SS": ["a", "b", "c"]}


@pytest.mark.parametrize(("there", "more"), [({"N": "1"}, {"SS": ["a"]}), ({"SS": ["a"]}, {"N": "1"})])
def test_add_of_a_set_to_a_number_is_invalid(there: dict[str, object], more: dict[str, object]) -> None:
    """Adding a set to a number raises an error, as in DynamoDB."""
    with pytest.raises(InvalidError):
        apply_add({"rAAA": there}, more)
