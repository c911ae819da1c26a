"""The only source of randomness: the system's generator.

Base 62 is safe in URLs and shells, and a double click selects all of it.
"""

import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

_PAIRS = [first + second for first in BASE62 for second in BASE62]
"""All pairs of digits: converting two digits at a time takes half as long."""

_below: Callable[[int], int] = secrets.randbelow


def below(bound: int) -> int:
    """Return a random whole number from 0 to `bound` - 1."""
    return _below(bound)


def base62(length: int) -> str:
    """Return `length` random base 62 characters; each carries 5.95 bits."""
    return to_base62(_below(62**length), length)


def shuffle(items: Iterable[Item]) -> list[Item]:
    """Return `items` in random order."""
    return sorted(items, key=lambda _item: _below(1 << 32))


def to_base62(number: int, length: int) -> str:
    """Write `number` in base 62, zero-padded to `length`; the result sorts like the number.

    A longer number is cut to its last digits.
    """
    text = ""
    for _ in range(0, length, 2):
        number, pair = divmod(number, 62 * 62)
        text = _PAIRS[pair] + text
    return text[-length:]


@contextmanager
def use_generator(below: Callable[[int], int]) -> Iterator[None]:
    """Draw from `below` within a `with` block, for tests."""
    global _below
    before, _below = _below, below
    try:
        yield
    finally:
        _below = before
