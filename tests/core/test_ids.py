"""Ids sort by creation time, and their prefix names the type."""

import pytest

from chalicelib.core import ids, randomness
from tests.support.harness import TestApp


def test_ids_sort_by_age(latchkey: TestApp) -> None:
    """Ids sorted as text are in the order of their creation."""
    made = []
    for step_s in (0.001, 1, 3600, 86_400 * 365 * 50):
        made.append(ids.new("acc"))
        latchkey.clock.forward(step_s)
    assert sorted(made) == made


def test_ids_of_one_millisecond_sort_by_creation(latchkey: TestApp) -> None:
    """Ids created in the same millisecond are in the order of their creation."""
    made = [ids.new("evt") for _ in range(1_000)]
    assert sorted(set(made)) == made


def test_new_id_is_valid(latchkey: TestApp) -> None:
    """`is_id` accepts a new id for its own prefix and no other."""
    made = ids.new("key")
    assert ids.is_id(made, "key")
    assert not ids.is_id(made, "acc")


@pytest.mark.parametrize(
    "text", ["", "key_", "key_" + "a" * 19, "key_" + "a" * 21, "key_" + "-" * 20, "KEY_" + "a" * 20]
)
def test_other_text_is_no_id(text: str) -> None:
    """Text in another form is not an id, and needs no look-up."""
    assert not ids.is_id(text, "key")


def test_id_with_a_newline_is_invalid(latchkey: TestApp) -> None:
    """A valid id followed by a newline is not an id."""
    assert not ids.is_id(ids.new("key") + "\n", "key")


def test_id_has_prefix_time_and_random_part(latchkey: TestApp) -> None:
    """An id has a prefix, eight characters for the millisecond, and twelve random characters."""
    bounds: list[int] = []

    def lowest(bound: int) -> int:
        bounds.append(bound)
        return 0

    latchkey.clock.forward(7_777.777)  # no other test creates an id in this millisecond
    at = randomness.to_base62(latchkey.clock.now_ms, 8)
    with randomness.use_generator(lowest):
        assert [ids.new("key") for _ in range(3)] == [f"key_{at}00000000000{last}" for last in "012"]
        latchkey.clock.forward(0.001)
        later = randomness.to_base62(latchkey.clock.now_ms, 8)
        assert ids.new("key") == f"key_{later}000000000000"
    assert bounds == [62**12 // 2, 62**8, 62**8, 62**12 // 2]


def test_ids_of_one_millisecond_are_at_most_a_step_apart(latchkey: TestApp) -> None:
    """At least 7 million ids fit into one millisecond, even if each random step is the largest."""
    latchkey.clock.forward(8_888.888)
    with randomness.use_generator(lambda bound: bound - 1):
        first, second = ids.new("evt"), ids.new("evt")
    half, step = 62**12 // 2, 62**8
    assert first.endswith(randomness.to_base62(half - 1, 12))
    assert second.endswith(randomness.to_base62(half - 1 + step, 12))
    assert half // step > 7_000_000


def test_first_at_divides_older_ids_from_later_ones(latchkey: TestApp) -> None:
    """`first_at` returns a text that sorts after all ids created before a millisecond, and before all ids created
    since.
    """
    older = ids.new("evt")
    latchkey.clock.forward(0.001)
    divides = ids.first_at("evt", latchkey.clock.now_ms)
    assert older < divides < ids.new("evt")
    assert len(divides) == len("evt_") + 8
