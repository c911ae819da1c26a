"""Each response has the same bytes for an address with a user as for one without, so no response reveals a user."""

from dataclasses import replace

import pytest

from chalicelib.accounts import change, email_links, find, states
from chalicelib.core import secrets, settings
from tests.support.console_client import PASSWORD, ConsoleClient, Page, log_in_as, new_account
from tests.support.harness import TestApp
from tests.support.mailbox import Mailbox

KNOWN, UNKNOWN = "somebody@example.com", "whoeveris@example.com"


def seen(page: Page, email: str) -> str:
    """Return everything visible in a response, without the request id and the submitted address."""
    headers = sorted(f"{name}: {value}" for name, value in page.answer.headers if name != "x-amzn-RequestId")
    return "\n".join((str(page.status), *headers, "", page.html)).replace(email, "…")


def both(latchkey: TestApp, action: str, **fields: str) -> tuple[str, str]:
    """Submit a form for a known and an unknown address in new browsers; return the visible parts of both responses."""
    responses = []
    for email in (KNOWN, UNKNOWN):
        console = ConsoleClient(latchkey, cookies={"__Host-latchkey-visit": "x" * 30})
        responses.append(seen(console.submit(action, email=email, **fields), email))
    return responses[0], responses[1]


@pytest.mark.parametrize("state", ["active", "unverified", "suspended", "without_password"])
def test_wrong_log_in_reads_the_same_for_known_and_unknown(latchkey: TestApp, state: str) -> None:
    """A failed log-in reads the same for an unknown address and for a user in any state."""
    if state == "without_password":
        latchkey.account(email=KNOWN)
    else:
        account = new_account(email=KNOWN, verified=state != "unverified")
        if state == "suspended":
            change.set_tier_and_status(account.id, tier=None, status=states.SUSPENDED, actor="operator")
    known, unknown = both(latchkey, "/login", password="not the password at all")
    assert known == unknown
    assert known.startswith("401\n")


def test_rate_limited_log_in_reads_the_same_for_known_and_unknown(latchkey: TestApp) -> None:
    """Known and unknown addresses reach the limit after the same number of attempts, with the same response."""
    new_account(email=KNOWN)
    with settings.override(replace(settings.current(), log_in_attempts_per_email=1)):
        both(latchkey, "/login", password="not the password at all")
        known, unknown = both(latchkey, "/login", password=PASSWORD)
    assert known == unknown
    assert known.startswith("429\n")


@pytest.mark.parametrize("password", [PASSWORD, "short"])
def test_sign_up_reads_the_same_for_known_and_new(latchkey: TestApp, box: Mailbox, password: str) -> None:
    """Valid and invalid sign-ups read the same for known and new addresses; only the emails to the address differ."""
    new_account(email=KNOWN)
    known, new = both(latchkey, "/signup", name="Ada", password=password)
    assert known == new
    assert known.startswith("200\n" if password == PASSWORD else "400\n")


@pytest.mark.parametrize("state", ["active", "unverified", "suspended"])
def test_reset_reads_the_same_for_known_and_unknown(latchkey: TestApp, box: Mailbox, state: str) -> None:
    """The page after a reset request is the same whether or not the address has a user."""
    account = new_account(email=KNOWN, verified=state != "unverified")
    if state == "suspended":
        change.set_tier_and_status(account.id, tier=None, status=states.SUSPENDED, actor="operator")
    known, unknown = both(latchkey, "/forgot")
    assert known == unknown
    assert known.startswith("200\n")


def test_change_to_a_taken_address_reads_the_same_as_to_a_free_one(latchkey: TestApp, box: Mailbox) -> None:
    """For a logged-in user, changing to a taken address looks like changing to a free one."""
    new_account(email=KNOWN)
    console = log_in_as(latchkey, new_account())
    responses = []
    for email in (KNOWN, UNKNOWN):
        action = "/settings/profile/email"
        page = console.submit(action, on="/settings/profile", email=email, password=PASSWORD)
        responses.append((page.status, page.location, console.follow(page).html))
    assert responses[0] == responses[1]
    assert [message.to for message in box.take()] == [UNKNOWN]


@pytest.mark.parametrize("path", ["/verify", "/password"])
def test_unusable_links_read_the_same(latchkey: TestApp, path: str) -> None:
    """All invalid links get the same page: unknown, mistyped, used, expired, or for another purpose."""
    account = new_account()
    purpose = email_links.VERIFY_EMAIL if path == "/verify" else email_links.SET_PASSWORD
    other = email_links.SET_PASSWORD if path == "/verify" else email_links.VERIFY_EMAIL
    old = email_links.new_link(account.user_id, purpose, email=account.email, epoch=account.user.session_epoch)
    latchkey.clock.forward(3_600)
    used = email_links.new_link(account.user_id, purpose, email=account.email, epoch=account.user.session_epoch)
    ticket = email_links.find_link(used, purpose)
    if path == "/verify":
        email_links.verify_email(ticket, account.user)
    else:
        email_links.set_password(ticket, account.user, "")
    epoch = find.user_by_id(account.user_id).session_epoch
    other_purpose = email_links.new_link(account.user_id, other, email=account.email, epoch=epoch)
    of_nobody = email_links.new_link("usr_nobody", purpose, email=account.email, epoch=0)
    tickets = [secrets.mint(secrets.MAIL_LINK_KIND), f"{used[:-1]}_", used, old, other_purpose, of_nobody, ""]
    pages = set()
    for ticket_of in tickets:
        latchkey.clock.forward(1)
        console = ConsoleClient(latchkey, ip="198.51.100.77", cookies={"__Host-latchkey-visit": "x" * 30})
        page = console.open(f"{path}?ticket={ticket_of}")
        assert page.status == 410
        pages.add(page.html)
    assert len(pages) == 1


def test_key_of_another_account_reads_like_an_unknown_one(latchkey: TestApp) -> None:
    """Pages and forms respond to a key of another account as to an unknown key."""
    theirs = latchkey.key(new_account(name="Eve")).key.id
    unknown = f"{theirs[:-12]}{'0' * 12}"
    console = log_in_as(latchkey, new_account())
    tokens = console.token_fields()
    for deed in ("", "/revoke"):
        pages = [console.open(f"/settings/keys/{key_id}{deed}") for key_id in (theirs, unknown)]
        assert [page.status for page in pages] == [404, 404]
        assert pages[0].html == pages[1].html
    for deed in ("rename", "narrow", "rotate", "revoke"):
        latchkey.clock.forward(1)
        fields = {**tokens, "name": "Mine", "scopes": "read", "grace": "immediately"}
        pages = [console.send(f"/settings/keys/{key_id}/{deed}", fields) for key_id in (theirs, unknown)]
        assert [page.status for page in pages] == [404, 404], deed
        assert pages[0].html == pages[1].html
