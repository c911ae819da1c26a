"""What a command says when it can't be done, or a step of it fails: one line, with what to do."""

QUOTED_MAX = 60
"""So much of a value is repeated in a sentence."""


class DeployError(Exception):
    """A step failed; the message says which, what still runs, and what to do."""


class Mistake(Exception):
    """What the operator got wrong, and how to go on."""


def quoted(value: str) -> str:
    """Return a value in quotes, on one line and cut off where it is long."""
    return repr(value if len(value) <= QUOTED_MAX else f"{value[:QUOTED_MAX]}…")


def one_line(text: str) -> str:
    """Return a text without its line breaks."""
    return " ".join(text.split())
