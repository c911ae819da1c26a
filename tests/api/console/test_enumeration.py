"""Who has an account here, a stranger can't learn from any answer: known and unknown read the same, to the byte."""

from dataclasses import replace

import pytest

from chalicelib.accounts import change, email_links, find, states
from chalicelib.core import secrets, settings
from tests.support.console_client import PASSWORD, ConsoleClient, Page, logged_in, person
from tests.support.harness import TestApp
from tests.support.mailbox import Mailbox

KNOWN, UNKNOWN = "somebody@example.com", "whoeveris@example.com"


def seen(page: Page, email: str) -> str:
    """Return all that a stranger sees of an answer, but for the request's id and the address that was typed in."""
    headers = sorted(f"{name}: {value}" for name, value in page.answer.headers if name != "x-amzn-RequestId")
    return "\n".join((str(page.status), *headers, "", page.html)).replace(email, "…")


def both(latchkey: TestApp, action: str, **fields: str) -> tuple[str, str]:
    """Return what is seen of a form for a known address and for an unknown one, in one browser each time anew."""
    answers = []
    for email in (KNOWN, UNKNOWN):
        console = ConsoleClient(latchkey, cookies={"__Host-latchkey-visit": "x" * 30})
        answers.append(seen(console.submit(action, email=email, **fields), email))
    return answers[0], answers[1]


@pytest.mark.parametrize("state", ["active", "unverified", "suspended", "without_password"])
def test_wrong_log_in_reads_the_same_for_known_and_unknown(latchkey: TestApp, state: str) -> None:
    """Whatever is the matter with the account."""
    if state == "without_password":
        latchkey.account(email=KNOWN)
    else:
        account = person(email=KNOWN, verified=state != "unverified")
        if state == "suspended":
            change.set_standing(account.id, tier=None, status=states.SUSPENDED, actor="operator")
    known, unknown = both(latchkey, "/login", password="not the password at all")
    assert known == unknown
    assert known.startswith("401\n")


def test_refused_log_in_reads_the_same_for_known_and_unknown(latchkey: TestApp) -> None:
    """Both run into the limit after as many attempts, and are told the same."""
    person(email=KNOWN)
    with settings.in_use(replace(settings.current(), log_in_attempts_per_email=1)):
        both(latchkey, "/login", password="not the password at all")
        known, unknown = both(latchkey, "/login", password=PASSWORD)
    assert known == unknown
    assert known.startswith("429\n")


@pytest.mark.parametrize("password", [PASSWORD, "short"])
def test_sign_up_reads_the_same_for_known_and_new(latchkey: TestApp, box: Mailbox, password: str) -> None:
    """A good form and a bad one; only the letters differ, and those reach the owner of the address alone."""
    person(email=KNOWN)
    known, new = both(latchkey, "/signup", name="Ada", password=password)
    assert known == new
    assert known.startswith("200\n" if password == PASSWORD else "400\n")


@pytest.mark.parametrize("state", ["active", "unverified", "suspended"])
def test_reset_reads_the_same_for_known_and_unknown(latchkey: TestApp, box: Mailbox, state: str) -> None:
    """The page promises a message if there is an account, and nothing else."""
    account = person(email=KNOWN, verified=state != "unverified")
    if state == "suspended":
        change.set_standing(account.id, tier=None, status=states.SUSPENDED, actor="operator")
    known, unknown = both(latchkey, "/forgot")
    assert known == unknown
    assert known.startswith("200\n")


def test_change_to_a_taken_address_reads_the_same_as_to_a_free_one(latchkey: TestApp, box: Mailbox) -> None:
    """Someone who has an account learns no more than a stranger."""
    person(email=KNOWN)
    console = logged_in(latchkey, person())
    answers = []
    for email in (KNOWN, UNKNOWN):
        action = "/settings/account/email"
        page = console.submit(action, on="/settings/account", email=email, password=PASSWORD)
        answers.append((page.status, page.location, console.follow(page).html))
    assert answers[0] == answers[1]
    assert [letter.to for letter in box.take()] == [UNKNOWN]


@pytest.mark.parametrize("path", ["/verify", "/password"])
def test_links_that_cant_be_used_read_the_same(latchkey: TestApp, path: str) -> None:
    """Unknown, mistyped, used, too old, for something else, of an account that is gone: one page."""
    account = person()
    purpose = email_links.VERIFY_EMAIL if path == "/verify" else email_links.SET_PASSWORD
    other = email_links.SET_PASSWORD if path == "/verify" else email_links.VERIFY_EMAIL
    old = email_links.new_link(account.id, purpose, email=account.email, epoch=account.session_epoch)
    latchkey.clock.forward(3_600)
    used = email_links.new_link(account.id, purpose, email=account.email, epoch=account.session_epoch)
    ticket = email_links.looked_up(used, purpose)
    if path == "/verify":
        email_links.verify_email(ticket, account)
    else:
        email_links.set_password(ticket, account, "")
    epoch = find.account_by_id(account.id).session_epoch
    other_purpose = email_links.new_link(account.id, other, email=account.email, epoch=epoch)
    of_nobody = email_links.new_link("acc_nobody", purpose, email=account.email, epoch=0)
    tickets = [secrets.mint(secrets.MAIL_LINK_KIND), f"{used[:-1]}_", used, old, other_purpose, of_nobody, ""]
    pages = set()
    for ticket_of in tickets:
        latchkey.clock.forward(1)
        console = ConsoleClient(latchkey, ip="198.51.100.77", cookies={"__Host-latchkey-visit": "x" * 30})
        page = console.open(f"{path}?ticket={ticket_of}")
        assert page.status == 410
        pages.add(page.html)
    assert len(pages) == 1


def test_someone_elses_key_reads_like_one_that_never_was(latchkey: TestApp) -> None:
    """Pages and forms about a key answer alike for both."""
    theirs = latchkey.key(person(name="Eve")).key.id
    unknown = f"{theirs[:-12]}{'0' * 12}"
    console = logged_in(latchkey, person())
    csrf = dict(console.open("/settings/account").read.forms[0].fields)["csrf"]
    for deed in ("", "/revoke"):
        pages = [console.open(f"/settings/keys/{key_id}{deed}") for key_id in (theirs, unknown)]
        assert [page.status for page in pages] == [404, 404]
        assert pages[0].html == pages[1].html
    for deed in ("rename", "narrow", "rotate", "revoke"):
        latchkey.clock.forward(1)
        fields = {"csrf": csrf, "name": "Mine", "scopes": "read", "grace": "immediately"}
        pages = [console.send(f"/settings/keys/{key_id}/{deed}", fields) for key_id in (theirs, unknown)]
        assert [page.status for page in pages] == [404, 404], deed
        assert pages[0].html == pages[1].html
