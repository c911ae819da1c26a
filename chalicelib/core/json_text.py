"""Parse untrusted JSON. A string that can't be encoded in UTF-8 is not accepted as text."""

import json
from collections.abc import Callable
from typing import Any

Pairs = list[tuple[str, Any]]

INVALID_TEXT = object()
r"""A replacement for a string with a lone surrogate (`"\ud800"`), which would break every later encoding, such as a
digest or a database write. No field accepts the replacement, because it is not a string; an ignored field may
contain it.
"""


def read(raw: bytes | str, *, of_object: Callable[[Pairs], Any] = dict, **rules: Any) -> Any:
    """Return the value of a JSON text.

    `of_object` builds each object from its pairs; `rules` are passed to `json.loads`. Raises ValueError when it is not
    JSON, RecursionError when it is nested too deeply.
    """

    def build(pairs: Pairs) -> Any:
        return of_object([(name, _replace_invalid(value)) for name, value in pairs])

    return _replace_invalid(json.loads(raw, object_pairs_hook=build, **rules))


def _replace_invalid(value: Any) -> Any:
    """Return a value with invalid strings replaced. Objects inside it were already processed."""
    if isinstance(value, str):
        return value if value.isascii() or not _has_lone_surrogate(value) else INVALID_TEXT
    return [_replace_invalid(each) for each in value] if type(value) is list else value


def _has_lone_surrogate(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)
