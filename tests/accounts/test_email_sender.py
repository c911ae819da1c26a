"""Mail: through Amazon SES as its API wants it, into a folder that only its owner reads, and never into the log."""

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
from chalicelib.accounts.email_not_sent import MailNotSent
from chalicelib.accounts.sign_up import SignUpRequest, ask_for_reset, sign_up
from chalicelib.core import randomness, settings, telemetry
from tests.support.console_client import PASSWORD, SOMEWHERE, person
from tests.support.harness import TestApp
from tests.support.mailbox import Mailbox

SENDER = "Latchkey <keys@api.example.com>"
BASE = "https://api.example.com"
HERE = SignUpRequest(SOMEWHERE.networks)
LETTER = emails.confirm_sign_up("ada@example.com", f"{BASE}/verify?ticket=lk_ml_secret")


class Sent:
    """What Amazon SES was asked to send."""

    def take(self) -> list[tuple[str, str, str, str]]:
        """Return sender, recipient, subject and text of each mail since the last time."""
        backend: Any = ses_backends[DEFAULT_ACCOUNT_ID]["us-east-1"]
        taken = [
            (message.source, *message.destinations["ToAddresses"], message.subject, message.body)
            for message in backend.sent_messages
        ]
        backend.sent_messages.clear()
        return taken


@pytest.fixture
def ses(latchkey: TestApp) -> Iterator[Sent]:
    """SES with a sender that is verified, and settings that name it."""
    client = botocore.session.get_session().create_client("sesv2")
    client.create_email_identity(EmailIdentity="keys@api.example.com")
    with settings.in_use(replace(settings.current(), mail_from=SENDER)):
        yield Sent()


@pytest.fixture
def log(latchkey: TestApp) -> Iterator[io.StringIO]:
    """Everything that is logged and counted."""
    stream = io.StringIO()
    telemetry.write_to(stream)
    yield stream
    telemetry.write_to(None)


def test_letter_is_sent_through_ses(ses: Sent) -> None:
    """From the configured sender, to one recipient, in plain text."""
    email_sender.send(LETTER)
    assert ses.take() == [(SENDER, "ada@example.com", LETTER.subject, LETTER.text)]


def test_sign_up_and_reset_send_through_ses(ses: Sent) -> None:
    """What a person waits for comes from the sender, with a link to the API's own address."""
    sign_up(email="ada@example.com", name="Ada", password=PASSWORD, request=HERE, base_url=BASE)
    person(email="eve@example.com")
    ask_for_reset(email="eve@example.com", caller=SOMEWHERE, base_url=BASE)
    sent = ses.take()
    assert [(to, subject) for _, to, subject, _ in sent] == [
        ("ada@example.com", "Confirm your email address"),
        ("eve@example.com", "Choose another password"),
    ]
    assert all(f"{BASE}/" in text and "ticket=lk_ml_" in text for *_, text in sent)


def test_reset_for_an_unknown_address_asks_ses_all_the_same(ses: Sent) -> None:
    """One call either way, or its absence would tell by the time; the letter goes to Amazon's simulator, to nobody."""
    ask_for_reset(email="nobody@example.com", caller=SOMEWHERE, base_url=BASE)
    assert [to for _, to, _, _ in ses.take()] == ["success@simulator.amazonses.com"]
    person(email="ada@example.com")
    ask_for_reset(email="ada@example.com", caller=SOMEWHERE, base_url=BASE)
    assert [to for _, to, _, _ in ses.take()] == ["ada@example.com"]


def test_refused_letter_is_logged_without_its_link(latchkey: TestApp, log: io.StringIO) -> None:
    """Who waits for it is told; the operator reads and counts what happened, but nobody reads the link in the log."""
    sender = settings.in_use(replace(settings.current(), mail_from="unverified@example.com"))
    with sender, pytest.raises(MailNotSent):
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


def test_nothing_configured_is_said_and_nothing_sent(latchkey: TestApp, log: io.StringIO) -> None:
    """A deployment without a sender tells its operator, link and address left out."""
    email_sender.send(LETTER)
    assert "mail_not_sent" in log.getvalue()
    assert "lk_ml_" not in log.getvalue()
    assert "ada@example.com" not in log.getvalue()
    assert not email_sender.is_configured()


def test_letter_does_not_show_its_text_in_a_traceback() -> None:
    """What a traceback, or a debugger's log, prints of a letter holds no link."""
    assert repr(LETTER) == "Letter('Confirm your email address')"


def test_kept_letters_are_for_their_owner_only(latchkey: TestApp, box: Mailbox) -> None:
    """Links are secrets: files 0600 in a folder 0700, whatever the umask, and though the folder was there before."""
    box.folder.mkdir(mode=0o755)
    box.folder.chmod(0o755)
    email_sender.send(LETTER)
    (file,) = box.folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(box.folder.stat().st_mode) == 0o700
    letter = box.take_one()
    assert (letter.to, letter.subject) == (LETTER.to, LETTER.subject)
    assert letter.text.rstrip() == LETTER.text


@pytest.mark.parametrize("to", ["../../../etc/passwd@example.com", "a/b@example.com", "." * 200 + "@example.com"])
def test_address_names_no_other_file(latchkey: TestApp, box: Mailbox, to: str) -> None:
    """Whatever an address holds, its letter lies in the folder."""
    email_sender.send(replace(LETTER, to=to))
    assert [file.parent for file in box.folder.iterdir()] == [box.folder]


def test_letters_of_one_moment_are_all_kept(latchkey: TestApp, box: Mailbox) -> None:
    """Two letters to one person in the same second don't overwrite each other."""
    email_sender.send(LETTER)
    email_sender.send(LETTER)
    assert len(box.take()) == 2


def test_sender_wins_over_the_folder(ses: Sent, tmp_path: Path) -> None:
    """Where a sender is configured mail really leaves, and nothing is kept."""
    with settings.in_use(replace(settings.current(), mail_folder=str(tmp_path))):
        email_sender.send(LETTER)
    assert len(ses.take()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("sender", "folder", "is_sent"), [("", "", False), (SENDER, "", True), ("", "mail", True), (SENDER, "mail", True)]
)
def test_mail_reaches_people_by_a_sender_or_in_a_local_run_by_a_folder(
    latchkey: TestApp, sender: str, folder: str, is_sent: bool
) -> None:
    """Only then can anybody verify an address."""
    with settings.in_use(replace(settings.current(), mail_from=sender, mail_folder=folder)):
        assert email_sender.is_configured() is is_sent


def test_letter_that_is_not_sent_is_logged_by_its_subject(latchkey: TestApp, log: io.StringIO) -> None:
    """Where there is nobody to send it."""
    email_sender.send(LETTER)
    assert json.loads(log.getvalue())["subject"] == LETTER.subject


def test_letter_that_is_only_pretended_is_not_kept(latchkey: TestApp, box: Mailbox) -> None:
    """Where mail falls into a folder, nothing falls there."""
    email_sender.pretend(LETTER)
    assert box.take() == []


def test_letter_never_takes_the_place_of_what_lies_in_the_folder(latchkey: TestApp, box: Mailbox) -> None:
    """Were the names of two the same, or one planted there, the second would not be written into it."""
    nested = replace(settings.current(), mail_folder=str(box.folder / "a" / "b"))
    with settings.in_use(nested), randomness.drawn_from(lambda _: 0):
        email_sender.send(LETTER)
        with pytest.raises(FileExistsError):
            email_sender.send(replace(LETTER, text="other"))
    (file,) = (box.folder / "a" / "b").iterdir()
    assert file.read_text() == f"To: ada@example.com\nSubject: {LETTER.subject}\n\n{LETTER.text}\n"


def test_longest_address_names_a_file_that_can_be_written(latchkey: TestApp, box: Mailbox) -> None:
    """A file's name has at most 255 bytes; the address in it is cut, whatever letters it has."""
    email_sender.send(replace(LETTER, to="ä1" * 120 + "@example.com"))
    (file,) = box.folder.iterdir()
    assert len(file.name.encode()) < 200
    assert file.name.startswith("2021-12-20T100000Z-")


def test_sender_that_does_not_answer_fails_before_the_gateway_gives_up(ses: Sent) -> None:
    """Two attempts of seven seconds each, before the page's 29; its client is made once."""
    config = email_sender._ses().meta.config
    attempts = config.retries["total_max_attempts"]
    assert attempts * (config.connect_timeout + config.read_timeout) == 14
    assert (attempts, config.connect_timeout) == (2, 2)
    assert email_sender._ses() is email_sender._ses()
