"""The valid values of a setting or of a command's variable: their description, for errors, and their check."""

import re
from collections.abc import Callable
from typing import Any, NamedTuple


class Takes(NamedTuple):
    """A description of valid values, and a predicate."""

    words: str
    fits: Callable[[Any], bool]
    hidden: Callable[[str], str] = lambda _: ""
    """Returns the first unprintable character of a text, "" without one."""


def one_of(*words: str) -> Takes:
    """Accept one of these words."""
    return Takes(f"{', '.join(words[:-1])} or {words[-1]}", lambda given: given in words)


def matching(words: str, pattern: str) -> Takes:
    """Accept a text that a regular expression matches as a whole."""
    return Takes(words, lambda given: isinstance(given, str) and re.fullmatch(pattern, given) is not None)
