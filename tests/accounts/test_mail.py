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

from chalicelib.accounts import letters, mail
from chalicelib.accounts.sign_up import Visitor, ask_for_reset, sign_up
from chalicelib.core import settings, telemetry
from tests.house import House
from tests.letterbox import Letterbox
from tests.visitor import PASSWORD, SOMEWHERE, person

SENDER = "Latchkey <keys@api.example.com>"
BASE = "https://api.example.com"
HERE = Visitor(SOMEWHERE.networks)
LETTER = letters.confirm_sign_up("ada@example.com", f"{BASE}/verify?ticket=lk_ml_secret")


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
def ses(home: House) -> Iterator[Sent]:
    """SES with a sender that is verified, and settings that name it."""
    client = botocore.session.get_session().create_client("sesv2")
    client.create_email_identity(EmailIdentity="keys@api.example.com")
    with settings.in_use(replace(settings.current(), mail_from=SENDER)):
        yield Sent()


@pytest.fixture
def log(home: House) -> Iterator[io.StringIO]:
    """Everything that is logged and counted."""
    stream = io.StringIO()
    telemetry.write_to(stream)
    yield stream
    telemetry.write_to(None)


def test_letter_is_sent_through_ses(ses: Sent) -> None:
    """From the configured sender, to one recipient, in plain text."""
    mail.send(LETTER)
    assert ses.take() == [(SENDER, "ada@example.com", LETTER.subject, LETTER.text)]


def test_sign_up_and_reset_send_through_ses(ses: Sent) -> None:
    """What a person waits for comes from the sender, with a link to the API's own address."""
    sign_up(email="ada@example.com", name="Ada", password=PASSWORD, visitor=HERE, base_url=BASE)
    person(email="eve@example.com")
    ask_for_reset(email="eve@example.com", networks=SOMEWHERE.networks, base_url=BASE)
    sent = ses.take()
    assert [(to, subject) for _, to, subject, _ in sent] == [
        ("ada@example.com", "Confirm your email address"),
        ("eve@example.com", "Choose another password"),
    ]
    assert all(f"{BASE}/" in text and "ticket=lk_ml_" in text for *_, text in sent)


def test_reset_for_an_unknown_address_asks_ses_all_the_same(ses: Sent) -> None:
    """One call either way, or its absence would tell by the time; the letter goes to Amazon's simulator, to nobody."""
    ask_for_reset(email="nobody@example.com", networks=SOMEWHERE.networks, base_url=BASE)
    assert [to for _, to, _, _ in ses.take()] == ["success@simulator.amazonses.com"]
    person(email="ada@example.com")
    ask_for_reset(email="ada@example.com", networks=SOMEWHERE.networks, base_url=BASE)
    assert [to for _, to, _, _ in ses.take()] == ["ada@example.com"]


def test_refused_letter_is_logged_without_its_link_and_stops_nothing(home: House, log: io.StringIO) -> None:
    """The page goes on; the operator reads what happened, and counts it, but nobody reads the link in the log."""
    with settings.in_use(replace(settings.current(), mail_from="unverified@example.com")):
        sign_up(email="ada@example.com", name="Ada", password=PASSWORD, visitor=HERE, base_url=BASE)
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    failed = next(line for line in lines if line.get("message") == "mail_failed")
    assert (failed["level"], failed["subject"], failed["code"]) == (
        "ERROR",
        "Confirm your email address",
        "MessageRejected",
    )
    assert any("MailFailed" in line for line in lines)
    assert "lk_ml_" not in log.getvalue()


def test_nothing_configured_is_said_and_nothing_sent(home: House, log: io.StringIO) -> None:
    """A deployment without a sender tells its operator, link and address left out."""
    mail.send(LETTER)
    assert "mail_not_sent" in log.getvalue()
    assert "lk_ml_" not in log.getvalue()
    assert "ada@example.com" not in log.getvalue()
    assert not mail.is_configured()


def test_letter_does_not_show_its_text_in_a_traceback() -> None:
    """What a traceback, or a debugger's log, prints of a letter holds no link."""
    assert repr(LETTER) == "Letter('Confirm your email address')"


def test_kept_letters_are_for_their_owner_only(home: House, box: Letterbox) -> None:
    """Links are secrets: files 0600 in a folder 0700, whatever the umask, and though the folder was there before."""
    box.folder.mkdir(mode=0o755)
    box.folder.chmod(0o755)
    mail.send(LETTER)
    (file,) = box.folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(box.folder.stat().st_mode) == 0o700
    letter = box.take_one()
    assert (letter.to, letter.subject) == (LETTER.to, LETTER.subject)
    assert letter.text.rstrip() == LETTER.text


@pytest.mark.parametrize("to", ["../../../etc/passwd@example.com", "a/b@example.com", "." * 200 + "@example.com"])
def test_address_names_no_other_file(home: House, box: Letterbox, to: str) -> None:
    """Whatever an address holds, its letter lies in the folder."""
    mail.send(replace(LETTER, to=to))
    assert [file.parent for file in box.folder.iterdir()] == [box.folder]


def test_letters_of_one_moment_are_all_kept(home: House, box: Letterbox) -> None:
    """Two letters to one person in the same second don't overwrite each other."""
    mail.send(LETTER)
    mail.send(LETTER)
    assert len(box.take()) == 2


def test_sender_wins_over_the_folder(ses: Sent, tmp_path: Path) -> None:
    """Where a sender is configured mail really leaves, and nothing is kept."""
    with settings.in_use(replace(settings.current(), mail_folder=str(tmp_path))):
        mail.send(LETTER)
    assert len(ses.take()) == 1
    assert list(tmp_path.iterdir()) == []


def test_nobodys_mailbox_is_flooded_by_whoever_asks(home: House, tmp_path: Path) -> None:
    """An address gets ten letters an hour that anybody can ask for; the eleventh waits for the next hour."""
    person(email="ada@example.com")
    with settings.in_use(replace(settings.current(), mail_folder=str(tmp_path))):
        for _ in range(12):
            ask_for_reset(email="ada@example.com", networks=SOMEWHERE.networks, base_url=BASE)
        assert len(list(tmp_path.iterdir())) == 10
        home.clock.forward(3_600)
        ask_for_reset(email="ada@example.com", networks=SOMEWHERE.networks, base_url=BASE)
        assert len(list(tmp_path.iterdir())) == 11
