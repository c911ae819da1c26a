"""Ids: they sort by age and say what they name."""

import pytest

from chalicelib.core import ids
from tests.house import House


def test_ids_sort_by_age(home: House) -> None:
    """Sorted as text, ids stand in the order in which they were made."""
    made = []
    for step_s in (0.001, 1, 3600, 86_400 * 365 * 50):
        made.append(ids.new("acc"))
        home.clock.forward(step_s)
    assert sorted(made) == made


def test_ids_of_one_moment_stand_in_order(home: House) -> None:
    """However many are made in the same millisecond, they sort in the order in which they were made."""
    made = [ids.new("evt") for _ in range(1_000)]
    assert sorted(set(made)) == made


def test_new_id_is_an_id(home: House) -> None:
    """What `new` makes, `is_id` accepts for its own prefix and no other."""
    made = ids.new("key")
    assert ids.is_id(made, "key")
    assert not ids.is_id(made, "acc")


@pytest.mark.parametrize(
    "text", ["", "key_", "key_" + "a" * 19, "key_" + "a" * 21, "key_" + "-" * 20, "KEY_" + "a" * 20]
)
def test_other_text_is_no_id(text: str) -> None:
    """What hasn't the shape of an id is looked up nowhere."""
    assert not ids.is_id(text, "key")


def test_newline_after_an_id_makes_it_none(home: House) -> None:
    """The whole text must be the id."""
    assert not ids.is_id(ids.new("key") + "\n", "key")
