"""The letters of a house that keeps its mail in a folder."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from chalicelib.core import settings


@dataclass(frozen=True, slots=True)
class ReceivedEmail:
    """One letter, as its reader sees it."""

    to: str
    subject: str
    text: str

    @property
    def link(self) -> str:
        """Return the link in it, whole."""
        return str(re.findall(r"https?://\S+", self.text)[-1])

    @property
    def target(self) -> str:
        """Return path and query of the link."""
        return re.sub(r"^https?://[^/]+", "", self.link)

    @property
    def token(self) -> str:
        """Return the link's secret."""
        return self.link.partition("ticket=")[2]


@dataclass(frozen=True, slots=True)
class Mailbox:
    """The folder."""

    folder: Path

    def take(self) -> list[ReceivedEmail]:
        """Take every letter out."""
        files = sorted(self.folder.iterdir()) if self.folder.exists() else []
        letters = [_read(file.read_text()) for file in files]
        for file in files:
            file.unlink()
        return letters

    def take_one(self) -> ReceivedEmail:
        """Take the only letter out."""
        (letter,) = self.take()
        return letter


@contextmanager
def collect_emails(folder: Path) -> Iterator[Mailbox]:
    """Let the mail of a `with` block fall into `folder`."""
    with settings.in_use(replace(settings.current(), mail_folder=str(folder))):
        yield Mailbox(folder)


def _read(letter: str) -> ReceivedEmail:
    to, subject, _, text = letter.split("\n", 3)
    return ReceivedEmail(to.removeprefix("To: "), subject.removeprefix("Subject: "), text)
