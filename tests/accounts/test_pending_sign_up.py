"""A sign-up whose address has yet to be verified: what its token holds, in which browser its password counts."""

import pytest
from pynamodb.exceptions import TransactWriteError

from chalicelib.accounts import email_links, find, pending_sign_up
from chalicelib.accounts.pending_sign_up import PURPOSE, PendingSignUp
from chalicelib.accounts.tables import Account, OneTimeToken
from chalicelib.core import clock
from chalicelib.events import record
from tests.support.console_client import person
from tests.support.harness import TestApp
from tests.support.interleaving import before, failing

EMAIL = "Ada@example.com"


def pending(after: str = "/settings", browser: str = "digest") -> OneTimeToken:
    """Return the stored token of a sign-up."""
    asked = PendingSignUp(EMAIL, "Ada", "hash", browser, after)
    return email_links.looked_up(pending_sign_up.new_token(asked), PURPOSE)


def made_of(ticket: OneTimeToken) -> Account:
    """Use a token."""
    return pending_sign_up.make_account(ticket, name="Ada", password_hash="hash")


def test_token_of_a_sign_up_is_nobodys_link(latchkey: TestApp) -> None:
    """It belongs to no account yet."""
    ticket = pending()
    assert (ticket.account_id, ticket.purpose, ticket.epoch) == (find.NO_ACCOUNT, "sign_up", 0)
    assert ticket.email == EMAIL
    assert (ticket.name, ticket.password_hash, ticket.browser, ticket.after) == ("Ada", "hash", "digest", "/settings")


@pytest.mark.parametrize(("length", "is_kept"), [(0, False), (1, True), (8_192, True), (8_193, False)])
def test_page_to_go_on_to_is_kept_whole_or_not_at_all(latchkey: TestApp, length: int, is_kept: bool) -> None:
    """Cut, it would lead somewhere else."""
    assert pending("/" * length).after == ("/" * length if is_kept else None)


@pytest.mark.parametrize(
    ("signed_up_in", "opened_in", "is_same"),
    [("digest", "digest", True), ("digest", "other", False), ("digest", "", False), ("", "", False), ("", "x", False)],
)
def test_password_counts_only_in_the_browser_in_which_it_was_chosen(
    latchkey: TestApp, signed_up_in: str, opened_in: str, is_same: bool
) -> None:
    """A browser without a cookie is never the same as another without one."""
    assert pending_sign_up.is_same_browser(pending(browser=signed_up_in), opened_in) is is_same
    spent = OneTimeToken("digest", kind="ml", account_id="acc_x", expires_at=0)
    assert pending_sign_up.is_same_browser(spent, opened_in) is False


def test_new_account_records_that_its_address_was_verified(latchkey: TestApp) -> None:
    """After its creation, in the same transaction; the token says when it was used."""
    account = made_of(pending())
    assert [event.type for event in record.newest_first(account.id, 9)] == ["account.email_verified", "account.created"]
    assert account.email_verified_at == clock.now_ms()
    assert [each.consumed_at for each in OneTimeToken.scan()] == [clock.now_ms()]


def test_token_is_spent_on_nothing_when_the_address_was_taken_meanwhile(latchkey: TestApp) -> None:
    """Whoever opens it is told so, as often as they do."""
    ticket = pending()
    person(email=EMAIL)
    for _ in range(2):
        with pytest.raises(pending_sign_up.HasAccount) as told:
            made_of(ticket)
        assert (told.value.status, told.value.error) == (409, "conflict")
    assert [each.consumed_at for each in OneTimeToken.scan()] == [None]


def test_of_two_uses_at_once_the_loser_is_told_that_the_link_is_spent(latchkey: TestApp) -> None:
    """Though the address has an account by then: it is their own."""
    ticket = pending()
    with before("TransactWriteItems", lambda: made_of(ticket)), pytest.raises(email_links.SpentLink):
        made_of(ticket)
    assert Account.count() == 1


def test_token_works_until_the_hour_is_over(latchkey: TestApp) -> None:
    """What decides is the moment of use: in the last millisecond it works, in the next it doesn't."""
    in_time, late = pending(), pending()
    latchkey.clock.forward(3_600)
    with pytest.raises(email_links.SpentLink):
        made_of(late)
    latchkey.clock.forward(-0.001)
    assert made_of(in_time).email == "ada@example.com"


def test_database_that_fails_is_not_called_a_spent_link(latchkey: TestApp) -> None:
    """The token is still good when it works again."""
    ticket = pending()
    with failing("TransactWriteItems"), pytest.raises(TransactWriteError):
        made_of(ticket)
    assert made_of(ticket).name == "Ada"
