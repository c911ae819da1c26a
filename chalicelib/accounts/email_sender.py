"""Send email: with Amazon SES if a sender is configured, into a folder in a local run, and otherwise not at all.

Emails contain one-time links, so their text is never logged.
"""

import os
import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from chalicelib.accounts.email_not_sent import EmailNotSent
from chalicelib.core import clock, randomness, settings, telemetry

SIMULATOR = "success@simulator.amazonses.com"
"""Address of the SES mailbox simulator: it accepts an email without counting it against the sending quota."""


@dataclass(frozen=True, slots=True)
class EmailMessage:
    """One email, in plain text."""

    to: str
    subject: str
    text: str

    def __repr__(self) -> str:
        """Return the subject only: the text may contain a link, which must not be logged."""
        return f"EmailMessage({self.subject!r})"


def send(message: EmailMessage) -> bool:
    """Send an email, or write it to the folder of a local run. Returns False after logging a failure."""
    chosen = settings.current()
    if chosen.mail_from:
        return _send_with_ses(message, chosen.mail_from)
    if chosen.mail_folder:
        _into_folder(message, Path(chosen.mail_folder))
        return True
    telemetry.warning("mail_not_sent", subject=message.subject)
    return False


def send_or_fail(message: EmailMessage) -> None:
    """Send an email when the response tells the user to expect it. Raises EmailNotSent when it couldn't be sent."""
    if not send(message):
        raise EmailNotSent


def simulate(message: EmailMessage) -> bool:
    """Take as long as sending an email, but send nothing: the time must not reveal whether an account exists."""
    chosen = settings.current()
    return not chosen.mail_from or _send_with_ses(replace(message, to=SIMULATOR), chosen.mail_from)


def simulate_or_fail(message: EmailMessage) -> None:
    """Simulate `send_or_fail`: send nothing, but raise EmailNotSent when SES rejects the simulated email."""
    if not simulate(message):
        raise EmailNotSent


def is_configured() -> bool:
    """Return whether emails are sent, or written to the folder of a local run. Otherwise no address can be verified."""
    return bool(settings.current().mail_from or settings.current().mail_folder)


def _send_with_ses(message: EmailMessage, sender: str) -> bool:
    """Send an email with Amazon SES; return whether SES accepted it."""
    from botocore.exceptions import BotoCoreError, ClientError

    content = {"Simple": {"Subject": {"Data": message.subject}, "Body": {"Text": {"Data": message.text}}}}
    request = {"FromEmailAddress": sender, "Destination": {"ToAddresses": [message.to]}, "Content": content}
    try:
        _ses().send_email(**request)
    except (BotoCoreError, ClientError) as error:
        telemetry.error("mail_failed", subject=message.subject, code=type(error).__name__)
        telemetry.count("MailFailed")
        return False
    return True


@cache
def _ses() -> Any:
    import botocore.config
    import botocore.session

    # A user is waiting: if SES doesn't respond, fail before API Gateway's timeout of 29 s.
    config = botocore.config.Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 2})
    return botocore.session.get_session().create_client("sesv2", config=config)


def _into_folder(message: EmailMessage, folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    # File names are limited to 255 bytes.
    to = re.sub("[^a-z0-9]+", "-", message.to.lower())[:100]
    name = f"{clock.iso(clock.now_ms()).replace(':', '')}-{to}-{randomness.base62(4)}"
    # The file contains a link, so it is readable only by its owner, regardless of the umask.
    file = os.open(folder / f"{name}.txt", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(file, "w", encoding="utf-8") as written:
        written.write(f"To: {message.to}\nSubject: {message.subject}\n\n{message.text}\n")
