"""The error that a page shows if the user expects an email and it couldn't be sent."""

from chalicelib.core import errors


class EmailNotSent(errors.Unavailable):
    """The email couldn't be sent."""

    def __init__(self) -> None:
        """Set the message."""
        super().__init__("The email couldn't be sent. Try again in a few minutes.")
