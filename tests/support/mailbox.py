"""The emails of an app that stores them in a folder."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from chalicelib.core import settings


@dataclass(frozen=True, slots=True)
class ReceivedEmail:
    """One email, parsed."""

    to: str
    subject: str
    text: str

    @property
    def link(self) -> str:
        """Return the last URL in the text."""
        return str(re.findall(r"https?://\S+", self.text)[-1])

    @property
    def target(self) -> str:
        """Return the path and query of the link."""
        return re.sub(r"^https?://[^/]+", "", self.link)

    @property
    def token(self) -> str:
        """Return the link's one-time token."""
        return self.link.partition("ticket=")[2]


@dataclass(frozen=True, slots=True)
class Mailbox:
    """The folder with the emails."""

    folder: Path

    def take(self) -> list[ReceivedEmail]:
        """Return and remove all emails."""
        files = sorted(self.folder.iterdir()) if self.folder.exists() else []
        emails = [_parse(file.read_text()) for file in files]
        for file in files:
            file.unlink()
        return emails

    def take_one(self) -> ReceivedEmail:
        """Return and remove the only email."""
        (email,) = self.take()
        return email


@contextmanager
def collect_emails(folder: Path) -> Iterator[Mailbox]:
    """Store the emails of a `with` block in `folder`."""
    with settings.override(replace(settings.current(), mail_folder=str(folder))):
        yield Mailbox(folder)


def _parse(email: str) -> ReceivedEmail:
    to, subject, _, text = email.split("\n", 3)
    return ReceivedEmail(to.removeprefix("To: "), subject.removeprefix("Subject: "), text)
