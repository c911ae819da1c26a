"""Ids: `<prefix>_<8 base62 of the time in ms><12 random base62>`: they sort by age and say what they name.

What one process makes within a millisecond sorts in the order in which it was made, too: the events of one transaction.
"""

import re

from chalicelib.core import clock, randomness

_SHAPE = re.compile(r"[a-z]{3}_[0-9A-Za-z]{20}")
_RANDOM = 12
_STEP = 62**8
"""So far apart at most are two ids of one millisecond; some 14 million of them fit into it."""

_last = (0, 0)
"""The millisecond of the last id, and its random part as a number."""


def new(prefix: str) -> str:
    """Return a new id for `prefix` (three letters: acc, key, tok, app, gra, evt, whk)."""
    global _last
    now_ms, (last_ms, last) = clock.now_ms(), _last
    # Begins in the lower half, so that there is room behind it. Two threads may read the same last one: then chance
    # alone keeps their ids apart, as it does for two processes.
    number = last + 1 + randomness.below(_STEP) if now_ms == last_ms else randomness.below(62**_RANDOM // 2)
    _last = now_ms, number
    return f"{prefix}_{randomness.to_base62(now_ms, 8)}{randomness.to_base62(number, _RANDOM)}"


def first_at(prefix: str, at_ms: int) -> str:
    """Return what sorts before every id for `prefix` that is made at `at_ms` or later, and after all older ones."""
    return f"{prefix}_{randomness.to_base62(at_ms, 8)}"


def is_id(text: str, prefix: str) -> bool:
    """Tell whether `text` has the shape of an id with this `prefix`; what doesn't is looked up nowhere."""
    return text.startswith(f"{prefix}_") and _SHAPE.fullmatch(text) is not None
