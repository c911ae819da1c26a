"""Emails are sent by SES or written to a folder, and their text is never logged."""

import io
import json
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ses.models import ses_backends

from chalicelib.accounts import email_sender, emails
from chalicelib.accounts.email_not_sent import EmailNotSent
from chalicelib.accounts.sign_up import SignUpRequest, request_password_reset, sign_up
from chalicelib.core import randomness, settings, telemetry
from tests.support.console_client import CALLER, PASSWORD, new_account
from tests.support.harness import TestApp
from tests.support.mailbox import Mailbox

SENDER = "Latchkey <keys@api.example.com>"
BASE = "https://api.example.com"
HERE = SignUpRequest(CALLER.networks)
MESSAGE = emails.confirm_sign_up("ada@example.com", f"{BASE}/verify?ticket=lk_ml_secret")


class Sent:
    """The emails sent by SES."""

    def take(self) -> list[tuple[str, str, str, str]]:
        """Return sender, recipient, subject and text of each email that was sent since the last call."""
        backend: Any = ses_backends[DEFAULT_ACCOUNT_ID]["us-east-1"]
        taken = [
            (message.source, *message.destinations["ToAddresses"], message.subject, message.body)
            for message in backend.sent_messages
        ]
        backend.sent_messages.clear()
        return taken


@pytest.fixture
def ses(latchkey: TestApp) -> Iterator[Sent]:
    """SES with a verified sender, and settings with that sender."""
    client = botocore.session.get_session().create_client("sesv2")
    client.create_email_identity(EmailIdentity="keys@api.example.com")
    with settings.override(replace(settings.current(), mail_from=SENDER)):
        yield Sent()


@pytest.fixture
def log(latchkey: TestApp) -> Iterator[io.StringIO]:
    """All logs and metrics of the test."""
    stream = io.StringIO()
    telemetry.write_to(stream)
    yield stream
    telemetry.write_to(None)


def test_email_is_sent_by_ses(ses: Sent) -> None:
    """SES gets each email in plain text, from the configured sender to one recipient."""
    email_sender.send(MESSAGE)
    assert ses.take() == [(SENDER, "ada@example.com", MESSAGE.subject, MESSAGE.text)]


def test_sign_up_and_reset_are_sent_by_ses(ses: Sent) -> None:
    """Links in the emails of sign-ups and resets begin with the API's configured address."""
    sign_up(email="ada@example.com", name="Ada", password=PASSWORD, request=HERE, base_url=BASE)
    new_account(email="eve@example.com")
    request_password_reset(email="eve@example.com", caller=CALLER, base_url=BASE)
    sent = ses.take()
    assert [(to, subject) for _, to, subject, _ in sent] == [
        ("ada@example.com", "Confirm your email address"),
        ("eve@example.com", "Reset your password"),
    ]
    assert all(f"{BASE}/" in text and "ticket=lk_ml_" in text for *_, text in sent)


def test_reset_for_an_unknown_address_calls_ses_too(ses: Sent) -> None:
    """A reset for an unknown address sends an email to SES's simulator, so that response times are equal."""
    request_password_reset(email="nobody@example.com", caller=CALLER, base_url=BASE)
    assert [to for _, to, _, _ in ses.take()] == ["success@simulator.amazonses.com"]
    new_account(email="ada@example.com")
    request_password_reset(email="ada@example.com", caller=CALLER, base_url=BASE)
    assert [to for _, to, _, _ in ses.take()] == ["ada@example.com"]


def test_rejected_email_is_logged_without_its_link(latchkey: TestApp, log: io.StringIO) -> None:
    """If SES rejects an email, the caller gets an error and the operator a log entry and a metric, without the link."""
    sender = settings.override(replace(settings.current(), mail_from="unverified@example.com"))
    with sender, pytest.raises(EmailNotSent):
        sign_up(email="ada@example.com", name="Ada", password=PASSWORD, request=HERE, base_url=BASE)
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    failed = next(line for line in lines if line.get("message") == "mail_failed")
    assert (failed["level"], failed["subject"], failed["code"]) == (
        "ERROR",
        "Confirm your email address",
        "MessageRejected",
    )
    assert any("MailFailed" in line for line in lines)
    assert "lk_ml_" not in log.getvalue()


def test_email_without_a_sender_is_logged_and_not_sent(latchkey: TestApp, log: io.StringIO) -> None:
    """If no sender is configured, an email isn't sent. The log records this without the email's recipient and link."""
    email_sender.send(MESSAGE)
    assert "mail_not_sent" in log.getvalue()
    assert "lk_ml_" not in log.getvalue()
    assert "ada@example.com" not in log.getvalue()
    assert not email_sender.is_configured()


def test_repr_of_an_email_has_no_text() -> None:
    """The repr of an email omits its text, so that tracebacks don't reveal a link."""
    assert repr(MESSAGE) == "EmailMessage('Confirm your email address')"


def test_emails_in_the_folder_are_readable_by_their_owner_only(latchkey: TestApp, box: Mailbox) -> None:
    """Each email's file has mode 0600 and the folder mode 0700, even if the folder existed with mode 0755."""
    box.folder.mkdir(mode=0o755)
    box.folder.chmod(0o755)
    email_sender.send(MESSAGE)
    (file,) = box.folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(box.folder.stat().st_mode) == 0o700
    message = box.take_one()
    assert (message.to, message.subject) == (MESSAGE.to, MESSAGE.subject)
    assert message.text.rstrip() == MESSAGE.text


@pytest.mark.parametrize("to", ["../../../etc/passwd@example.com", "a/b@example.com", "." * 200 + "@example.com"])
def test_recipient_cant_name_another_file(latchkey: TestApp, box: Mailbox, to: str) -> None:
    """The file of an email is in the configured folder, even if the address contains path separators."""
    email_sender.send(replace(MESSAGE, to=to))
    assert [file.parent for file in box.folder.iterdir()] == [box.folder]


def test_emails_of_the_same_second_are_all_kept(latchkey: TestApp, box: Mailbox) -> None:
    """Two emails to one address in the same second have different file names."""
    email_sender.send(MESSAGE)
    email_sender.send(MESSAGE)
    assert len(box.take()) == 2


def test_sender_takes_precedence_over_the_folder(ses: Sent, tmp_path: Path) -> None:
    """If both a sender and a folder are configured, emails are sent and no file is written."""
    with settings.override(replace(settings.current(), mail_folder=str(tmp_path))):
        email_sender.send(MESSAGE)
    assert len(ses.take()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("sender", "folder", "is_sent"), [("", "", False), (SENDER, "", True), ("", "mail", True), (SENDER, "mail", True)]
)
def test_email_is_configured_by_a_sender_or_a_folder(
    latchkey: TestApp, sender: str, folder: str, is_sent: bool
) -> None:
    """Addresses can be verified only if a sender or a folder is configured."""
    with settings.override(replace(settings.current(), mail_from=sender, mail_folder=folder)):
        assert email_sender.is_configured() is is_sent


def test_email_that_isnt_sent_is_logged_by_its_subject(latchkey: TestApp, log: io.StringIO) -> None:
    """If neither a sender nor a folder is configured, the log contains the subject of each email."""
    email_sender.send(MESSAGE)
    assert json.loads(log.getvalue())["subject"] == MESSAGE.subject


def test_simulated_email_is_not_written(latchkey: TestApp, box: Mailbox) -> None:
    """An email to SES's mailbox simulator isn't written to the folder."""
    email_sender.simulate(MESSAGE)
    assert box.take() == []


def test_email_doesnt_overwrite_a_file(latchkey: TestApp, box: Mailbox) -> None:
    """An email is not written to a file that already exists, such as one that an attacker created."""
    nested = replace(settings.current(), mail_folder=str(box.folder / "a" / "b"))
    with settings.override(nested), randomness.use_generator(lambda _: 0):
        email_sender.send(MESSAGE)
        with pytest.raises(FileExistsError):
            email_sender.send(replace(MESSAGE, text="other"))
    (file,) = (box.folder / "a" / "b").iterdir()
    assert file.read_text() == f"To: ada@example.com\nSubject: {MESSAGE.subject}\n\n{MESSAGE.text}\n"


def test_longest_address_gives_a_valid_file_name(latchkey: TestApp, box: Mailbox) -> None:
    """The address in a file name is shortened, because file names are limited to 255 bytes."""
    email_sender.send(replace(MESSAGE, to="ä1" * 120 + "@example.com"))
    (file,) = box.folder.iterdir()
    assert len(file.name.encode()) < 200
    assert file.name.startswith("2021-12-20T100000Z-")


def test_unresponsive_ses_fails_before_the_gateways_timeout(ses: Sent) -> None:
    """If SES doesn't respond, sending fails after two attempts of seven seconds, within API Gateway's 29 seconds."""
    config = email_sender._ses().meta.config
    attempts = config.retries["total_max_attempts"]
    assert attempts * (config.connect_timeout + config.read_timeout) == 14
    assert (attempts, config.connect_timeout) == (2, 2)
    assert email_sender._ses() is email_sender._ses()
