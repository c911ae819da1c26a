"""JSON as strangers send it, read in one place: what no UTF-8 can carry is no text, whoever reads it."""

import json
from collections.abc import Callable
from typing import Any

Pairs = list[tuple[str, Any]]

NO_TEXT = object()
"""What stands in place of a string with half of a surrogate pair (`"\\ud800"`).

No field takes it, since it is no string; a field that nobody reads may hold it. Left as it came, it would make fail
whatever encodes it later: a digest, the database.
"""


def read(raw: bytes | str, *, of_object: Callable[[Pairs], Any] = dict, **rules: Any) -> Any:
    """Return the value of a JSON text, each object as `of_object` makes it of its pairs; `rules` go to `json.loads`.

    Raises ValueError when it is none, RecursionError when it is nested too deeply.
    """

    def made(pairs: Pairs) -> Any:
        return of_object([(name, _whole(value)) for name, value in pairs])

    return _whole(json.loads(raw, object_pairs_hook=made, **rules))


def _whole(value: Any) -> Any:
    """Return a value whose strings are text; objects were made so before what they stand in."""
    if isinstance(value, str):
        return value if value.isascii() or not _has_half_pairs(value) else NO_TEXT
    return [_whole(each) for each in value] if type(value) is list else value


def _has_half_pairs(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)
