"""The one source of chance: the system's generator, in base 62, which survives URLs, shells and double clicks."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

_below: Callable[[int], int] = secrets.randbelow


def below(bound: int) -> int:
    """Return a random whole number from 0 to `bound` - 1."""
    return _below(bound)


def base62(length: int) -> str:
    """Return `length` random characters of base 62; each carries 5.95 bits."""
    return to_base62(_below(62**length), length)


def to_base62(number: int, length: int) -> str:
    """Write `number` in base 62, zero-padded to `length`; the result sorts as the number does."""
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(BASE62[digit])
    return "".join(reversed(digits))


@contextmanager
def drawn_from(below: Callable[[int], int]) -> Iterator[None]:
    """Draw from `below` for the length of a `with` block: how tests fix chance."""
    global _below
    before, _below = _below, below
    try:
        yield
    finally:
        _below = before
