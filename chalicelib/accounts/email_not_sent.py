"""A mail that somebody waits for and that couldn't be sent: on its own, since every page may have to say so."""

from chalicelib.core import errors


class MailNotSent(errors.Unavailable):
    """The message that a page would say was sent couldn't be."""

    def __init__(self) -> None:
        """Say how to go on."""
        super().__init__("The email couldn't be sent. Try again in a few minutes.")
