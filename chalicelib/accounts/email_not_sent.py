"""The error for an email that a page announces and that couldn't be sent."""

from chalicelib.core import errors


class EmailNotSent(errors.Unavailable):
    """The email couldn't be sent."""

    def __init__(self) -> None:
        """Set the message."""
        super().__init__("The email couldn't be sent. Try again in a few minutes.")
