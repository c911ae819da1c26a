"""Ids: `<prefix>_<8 base62 of the time in ms><12 random base62>`: they sort by age and say what they name."""

import re

from chalicelib.core import clock, randomness

_SHAPE = re.compile(r"[a-z]{3}_[0-9A-Za-z]{20}")


def new(prefix: str) -> str:
    """Return a new id for `prefix` (three letters: acc, key, tok, app, gra, evt, whk)."""
    return f"{prefix}_{randomness.to_base62(clock.now_ms(), 8)}{randomness.base62(12)}"


def first_at(prefix: str, at_ms: int) -> str:
    """Return what sorts before every id for `prefix` that is made at `at_ms` or later, and after all older ones."""
    return f"{prefix}_{randomness.to_base62(at_ms, 8)}"


def is_id(text: str, prefix: str) -> bool:
    """Tell whether `text` has the shape of an id with this `prefix`; what doesn't is looked up nowhere."""
    return text.startswith(f"{prefix}_") and _SHAPE.fullmatch(text) is not None
