"""The error for a page that would otherwise tell the user to expect an email, when it couldn't be sent."""

from chalicelib.core import errors


class EmailNotSent(errors.Unavailable):
    """The email couldn't be sent."""

    def __init__(self) -> None:
        """Set the message."""
        super().__init__("The email couldn't be sent. Try again in a few minutes.")
