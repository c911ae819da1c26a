"""Ids: `<prefix>_<8 base62 of the time in ms><12 random base62>`. They sort by age, and the prefix names the type.

Ids that one process creates within a millisecond also sort in the order of creation, for the events of a transaction.
"""

import re

from chalicelib.core import clock, randomness

_SHAPE = re.compile(r"[a-z]{3}_[0-9A-Za-z]{20}")
_RANDOM = 12
_STEP = 62**8
"""The maximum step between two ids of the same millisecond; some 14 million such steps fit."""

_last = (0, 0)
"""The millisecond of the last id, and its random part as a number."""


def new(prefix: str) -> str:
    """Return a new id for `prefix` (three letters: acc, key, tok, app, gra, evt, whk)."""
    global _last
    now_ms, (last_ms, last) = clock.now_ms(), _last
    # The first id of a millisecond is in the lower half, to leave room for later ones. Two threads may read the same
    # last id; the random step keeps their ids apart, as it does for ids of two processes.
    number = last + 1 + randomness.below(_STEP) if now_ms == last_ms else randomness.below(62**_RANDOM // 2)
    _last = now_ms, number
    return f"{prefix}_{randomness.to_base62(now_ms, 8)}{randomness.to_base62(number, _RANDOM)}"


def first_at(prefix: str, at_ms: int) -> str:
    """Return a string that sorts before every id for `prefix` created at `at_ms` or later, and after all older ones."""
    return f"{prefix}_{randomness.to_base62(at_ms, 8)}"


def is_id(text: str, prefix: str) -> bool:
    """Return whether `text` has the form of an id with this `prefix`. If not, no look-up is needed."""
    return text.startswith(f"{prefix}_") and _SHAPE.fullmatch(text) is not None
