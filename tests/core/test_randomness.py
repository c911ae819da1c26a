"""Random numbers come from the operating system, are fixed in tests, and are written in base 62."""

import secrets

import pytest

from chalicelib.core import randomness

ALL = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def highest(bound: int) -> int:
    """Draw the highest number below a bound."""
    return bound - 1


@pytest.mark.parametrize(
    ("number", "length", "text"),
    [
        (0, 1, "0"),
        (61, 1, "z"),
        (62, 2, "10"),
        (0, 3, "000"),
        (62**3 - 1, 3, "zzz"),
        (62**2, 3, "100"),
        (62**2 - 1, 4, "00zz"),
        (1, 8, "00000001"),
        (62 + 1, 1, "1"),
        (62**3 + 1, 3, "001"),
        (62**9, 4, "0000"),
        (62**8 - 1, 8, "zzzzzzzz"),
        (62**12 // 2, 12, "V00000000000"),
    ],
)
def test_number_is_written_in_base62_with_its_length(number: int, length: int, text: str) -> None:
    """A number in base 62 is zero-padded to the given length."""
    assert randomness.to_base62(number, length) == text


def test_digits_sort_like_their_values() -> None:
    """Numbers of equal length in base 62 sort like their values."""
    assert [randomness.to_base62(number, 1) for number in range(62)] == list(ALL) == sorted(ALL)
    assert ALL == randomness.BASE62


@pytest.mark.parametrize("length", [1, 6, 30])
def test_random_text_has_its_length_and_full_range(length: int) -> None:
    """A random text has the given length, and may be any text of that length."""
    with randomness.use_generator(lambda _bound: 0):
        assert randomness.base62(length) == "0" * length
    with randomness.use_generator(highest):
        assert randomness.base62(length) == "z" * length
        assert randomness.below(7) == 6


def test_shuffle_draws_once_for_each_item() -> None:
    """A shuffle draws one random number for each item and keeps all items."""
    lots = iter([3, 1, 2, 1])
    bounds: list[int] = []

    def draw(bound: int) -> int:
        bounds.append(bound)
        return next(lots)

    items = [{"a"}, {"b"}, {"c"}, {"b"}]
    with randomness.use_generator(draw):
        assert randomness.shuffle(items) == [{"b"}, {"b"}, {"c"}, {"a"}]
    assert bounds == [2**32] * 4, "so that two draws are almost never equal"


def test_generator_is_restored_after_a_block() -> None:
    """The system's generator is restored after the block, even if the block fails."""
    with pytest.raises(ValueError, match=r"^fault$"), randomness.use_generator(highest):
        raise ValueError("fault")
    with randomness.use_generator(highest):
        with randomness.use_generator(lambda _bound: 0):
            assert randomness.below(10) == 0
        assert randomness.below(10) == 9
    assert randomness._below is secrets.randbelow
    assert randomness.below(1) == 0
