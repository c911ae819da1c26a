"""The emails of an app that stores them in a folder instead of sending them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from chalicelib.core import settings


@dataclass(frozen=True, slots=True)
class ReceivedEmail:
    """A parsed email."""

    to: str
    subject: str
    text: str

    @property
    def link(self) -> str:
        """Return the last URL in the email's text."""
        return str(re.findall(r"https?://\S+", self.text)[-1])

    @property
    def target(self) -> str:
        """Return the path and query of the email's link."""
        return re.sub(r"^https?://[^/]+", "", self.link)

    @property
    def token(self) -> str:
        """Return the one-time token in the email's link."""
        return self.link.partition("ticket=")[2]


@dataclass(frozen=True, slots=True)
class Mailbox:
    """The folder in which the app stores its emails."""

    folder: Path

    def take(self) -> list[ReceivedEmail]:
        """Return and remove all emails."""
        files = sorted(self.folder.iterdir()) if self.folder.exists() else []
        emails = [_parse(file.read_text()) for file in files]
        for file in files:
            file.unlink()
        return emails

    def take_one(self) -> ReceivedEmail:
        """Return and remove the only email; fail if there isn't exactly one."""
        (email,) = self.take()
        return email


@contextmanager
def collect_emails(folder: Path) -> Iterator[Mailbox]:
    """Have the app store its emails in `folder` during a `with` block."""
    with settings.override(replace(settings.current(), mail_folder=str(folder))):
        yield Mailbox(folder)


def _parse(email: str) -> ReceivedEmail:
    to, subject, _, text = email.split("\n", 3)
    return ReceivedEmail(to.removeprefix("To: "), subject.removeprefix("Subject: "), text)
