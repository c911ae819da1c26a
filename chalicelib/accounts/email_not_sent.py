"""The error for an email that couldn't be sent, on a page that would otherwise tell the user to expect it."""

from chalicelib.core import errors


class EmailNotSent(errors.Unavailable):
    """The email couldn't be sent."""

    def __init__(self) -> None:
        """Set the message."""
        super().__init__("The email couldn't be sent. Try again in a few minutes.")
