"""Mail to a person: by Amazon SES where a sender is configured, into a folder in a local run, otherwise not at all.

Mail holds one-time links, so its text is never logged.
"""

import os
import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from chalicelib.accounts.email_not_sent import MailNotSent
from chalicelib.core import clock, randomness, settings, telemetry

SIMULATOR = "success@simulator.amazonses.com"
"""Amazon's own address for trying mail out: it takes a letter, counts it in no quota and keeps nothing."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail, in plain text."""

    to: str
    subject: str
    text: str

    def __repr__(self) -> str:
        """Leave the text, which may hold a link, out of logs and tracebacks."""
        return f"Letter({self.subject!r})"


def send(letter: Letter) -> bool:
    """Send a letter, or keep it where a local run shows it; return False after a failure, which is logged."""
    chosen = settings.current()
    if chosen.mail_from:
        return _by_ses(letter, chosen.mail_from)
    if chosen.mail_folder:
        _into_folder(letter, Path(chosen.mail_folder))
        return True
    telemetry.warning("mail_not_sent", subject=letter.subject)
    return False


def must_send(letter: Letter) -> None:
    """Send a letter that somebody waits for; raise MailNotSent when it couldn't be."""
    if not send(letter):
        raise MailNotSent


def pretend(letter: Letter) -> bool:
    """Take as long as sending a letter, which nobody gets: whether an address is known must not show in the time."""
    chosen = settings.current()
    return not chosen.mail_from or _by_ses(replace(letter, to=SIMULATOR), chosen.mail_from)


def must_pretend(letter: Letter) -> None:
    """Do what `must_send` does, but for the letter: it fails alike."""
    if not pretend(letter):
        raise MailNotSent


def is_configured() -> bool:
    """Return whether mail reaches people, in a local run by its folder: only then can anyone verify an address."""
    return bool(settings.current().mail_from or settings.current().mail_folder)


def _by_ses(letter: Letter, sender: str) -> bool:
    """Return whether SES took a letter."""
    from botocore.exceptions import BotoCoreError, ClientError

    content = {"Simple": {"Subject": {"Data": letter.subject}, "Body": {"Text": {"Data": letter.text}}}}
    request = {"FromEmailAddress": sender, "Destination": {"ToAddresses": [letter.to]}, "Content": content}
    try:
        _ses().send_email(**request)
    except (BotoCoreError, ClientError) as error:
        telemetry.error("mail_failed", subject=letter.subject, code=type(error).__name__)
        telemetry.count("MailFailed")
        return False
    return True


@cache
def _ses() -> Any:
    import botocore.config
    import botocore.session

    # A person waits: a sender that doesn't answer must fail before the gateway gives up on the page (29 s).
    config = botocore.config.Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 2})
    return botocore.session.get_session().create_client("sesv2", config=config)


def _into_folder(letter: Letter, folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    # Cut: a name of 255 bytes is the longest that a file may have.
    to = re.sub("[^a-z0-9]+", "-", letter.to.lower())[:100]
    name = f"{clock.iso(clock.now_ms()).replace(':', '')}-{to}-{randomness.base62(4)}"
    # Whoever reads it may use its link: nobody else on this machine, whatever the umask.
    file = os.open(folder / f"{name}.txt", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(file, "w", encoding="utf-8") as written:
        written.write(f"To: {letter.to}\nSubject: {letter.subject}\n\n{letter.text}\n")
