"""Parse untrusted JSON. Strings that can't be encoded in UTF-8 are replaced, so that no field accepts them."""

import json
from collections.abc import Callable
from typing import Any

Pairs = list[tuple[str, Any]]

INVALID_TEXT = object()
r"""A replacement for a string with a lone surrogate (`"\ud800"`). Such a string would cause an error later, when it is
encoded for a digest or a database write. No field accepts the replacement, because it isn't a string; a field that
isn't read may contain it.
"""


def read(raw: bytes | str, *, of_object: Callable[[Pairs], Any] = dict, **rules: Any) -> Any:
    """Return the value of a JSON text.

    `of_object` creates an object from its name-value pairs; `rules` are passed to `json.loads`. Raises ValueError when
    the text isn't JSON, and RecursionError when it is nested too deeply.
    """

    def build(pairs: Pairs) -> Any:
        return of_object([(name, _replace_invalid(value)) for name, value in pairs])

    return _replace_invalid(json.loads(raw, object_pairs_hook=build, **rules))


def _replace_invalid(value: Any) -> Any:
    """Return a value in which invalid strings are replaced. Strings in nested objects needn't be visited: `build` has
    already replaced them.
    """
    if isinstance(value, str):
        return value if value.isascii() or not _has_lone_surrogate(value) else INVALID_TEXT
    return [_replace_invalid(each) for each in value] if type(value) is list else value


def _has_lone_surrogate(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)
