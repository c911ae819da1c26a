"""The errors of commands: one line, with the remedy."""

QUOTED_MAX = 60
"""The maximal length of a quoted value."""


class DeployError(Exception):
    """A step failed; the message says which, what still runs, and what to do."""


class Mistake(Exception):
    """A mistake of the operator; the message has the remedy."""


def quoted(value: str) -> str:
    """Return a value in quotes, on one line and truncated."""
    return repr(value if len(value) <= QUOTED_MAX else f"{value[:QUOTED_MAX]}…")


def one_line(text: str) -> str:
    """Return a text without its line breaks."""
    return " ".join(text.split())
