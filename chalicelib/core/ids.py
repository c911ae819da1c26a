"""Create ids: `<prefix>_<8 base62 of the time in ms><12 random base62>`. They sort by age; the prefix identifies the
type.

If one process creates several ids within a millisecond, they also sort in the order of their creation, so that the
events of a transaction stay in order.
"""

import hashlib
import re

from chalicelib.core import clock, randomness

_SHAPE = re.compile(r"[a-z]{3}_[0-9A-Za-z]{20}")
_RANDOM = 12
_STEP = 62**8
"""The upper limit of the random difference between two ids of the same millisecond. Thus one process can create about
14 million ids within a millisecond.
"""

_last = (0, 0)
"""The millisecond of the last id, and its random part as a number."""


def new(prefix: str) -> str:
    """Return a new id that begins with `prefix` (three letters: acc, key, tok, app, gra, evt, whk)."""
    global _last
    now_ms, (last_ms, last) = clock.now_ms(), _last
    # The first id of a millisecond is in the lower half of the range, so that larger numbers remain for later ids. If
    # two threads read the same last id, the random difference makes their ids unequal, like those of two processes.
    number = last + 1 + randomness.below(_STEP) if now_ms == last_ms else randomness.below(62**_RANDOM // 2)
    _last = now_ms, number
    return f"{prefix}_{randomness.to_base62(now_ms, 8)}{randomness.to_base62(number, _RANDOM)}"


def derive(prefix: str, at_ms: int, subject: str) -> str:
    """Return the id that always results from this time and this text."""
    number = int.from_bytes(hashlib.sha256(subject.encode()).digest()) % 62**_RANDOM
    return f"{prefix}_{randomness.to_base62(at_ms, 8)}{randomness.to_base62(number, _RANDOM)}"


def first_at(prefix: str, at_ms: int) -> str:
    """Return a string that sorts after all ids with `prefix` created before `at_ms`, and before all later ones."""
    return f"{prefix}_{randomness.to_base62(at_ms, 8)}"


def is_id(text: str, prefix: str) -> bool:
    """Return whether `text` is well-formed as an id with this `prefix`. If it isn't, no item has this id, so no
    database read is needed.
    """
    return text.startswith(f"{prefix}_") and _SHAPE.fullmatch(text) is not None
