"""Rules for the values of a setting or a command's variable: a check, and a description for error messages."""

import re
from collections.abc import Callable
from typing import Any, NamedTuple


class Takes(NamedTuple):
    """A rule: the description of valid values, and the function that checks a value."""

    words: str
    fits: Callable[[Any], bool]
    hidden: Callable[[str], str] = lambda _: ""
    """Returns the first unprintable character of a text, "" if there is none."""


def one_of(*words: str) -> Takes:
    """Return a rule that accepts one of the given words."""
    return Takes(f"{', '.join(words[:-1])} or {words[-1]}", lambda given: given in words)


def matching(words: str, pattern: str) -> Takes:
    """Return a rule that accepts a text if a regular expression matches all of it."""
    return Takes(words, lambda given: isinstance(given, str) and re.fullmatch(pattern, given) is not None)
