"""The errors of commands, whose messages are one line and name the remedy."""

QUOTED_MAX = 60
"""The maximum length of a value that is quoted in a message."""


class DeployError(Exception):
    """A step of a command failed; the message names the step, the state of the service, and the remedy."""


class Mistake(Exception):
    """The operator made a mistake, such as an invalid value; the message names the remedy."""


def quoted(value: str) -> str:
    """Return a value in quotes, with line breaks escaped, and truncated if it is long."""
    return repr(value if len(value) <= QUOTED_MAX else f"{value[:QUOTED_MAX]}…")


def one_line(text: str) -> str:
    """Return a text with line breaks and repeated spaces replaced by single spaces."""
    return " ".join(text.split())
