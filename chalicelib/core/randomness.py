"""The only source of randomness. It uses the generator of the operating system.

Random text is in base 62, which is safe in URLs and shells and which a double click selects completely.
"""

import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

_PAIRS = [first + second for first in BASE62 for second in BASE62]
"""All pairs of base 62 digits. Converting two digits at a time takes half as long as one at a time."""

_below: Callable[[int], int] = secrets.randbelow


def below(bound: int) -> int:
    """Return a random whole number from 0 to `bound` - 1."""
    return _below(bound)


def base62(length: int) -> str:
    """Return `length` random base 62 characters. Each has 5.95 bits of entropy."""
    return to_base62(_below(62**length), length)


def shuffle(items: Iterable[Item]) -> list[Item]:
    """Return `items` in random order."""
    return sorted(items, key=lambda _item: _below(1 << 32))


def to_base62(number: int, length: int) -> str:
    """Return `number` in base 62 with `length` digits, zero-padded, so that the texts sort like the numbers.

    If a number needs more digits, only its last digits are returned.
    """
    text = ""
    for _ in range(0, length, 2):
        number, pair = divmod(number, 62 * 62)
        text = _PAIRS[pair] + text
    return text[-length:]


@contextmanager
def use_generator(below: Callable[[int], int]) -> Iterator[None]:
    """Draw random numbers from the function `below` within a `with` block, for tests."""
    global _below
    before, _below = _below, below
    try:
        yield
    finally:
        _below = before
