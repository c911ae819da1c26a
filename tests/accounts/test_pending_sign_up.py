"""Sign-ups before the address is verified: the one-time token, and the browser in which the password is accepted."""

import pytest
from pynamodb.exceptions import TransactWriteError

from chalicelib.accounts import email_links, find, pending_sign_up
from chalicelib.accounts.pending_sign_up import PURPOSE, PendingSignUp
from chalicelib.accounts.tables import Account, OneTimeToken, User
from chalicelib.core import clock
from chalicelib.events import record
from tests.support.console_client import new_account
from tests.support.harness import TestApp
from tests.support.interleaving import fail_calls, run_before

EMAIL = "Ada@example.com"


def pending(after: str = "/settings", browser: str = "digest") -> OneTimeToken:
    """Return the stored token of a new sign-up."""
    asked = PendingSignUp(EMAIL, "Ada", "hash", browser, after)
    return email_links.find_link(pending_sign_up.new_token(asked), PURPOSE)


def use(token: OneTimeToken) -> User:
    """Use a token and return the created user."""
    return pending_sign_up.make_account(token, name="Ada", password_hash="hash").user


def test_token_of_a_sign_up_has_no_user(latchkey: TestApp) -> None:
    """The token of a sign-up stores the data of the form, and the id of no user."""
    token = pending()
    assert (token.user_id, token.purpose, token.epoch) == (find.NO_USER, "sign_up", 0)
    assert token.email == EMAIL
    assert (token.name, token.password_hash, token.browser, token.after) == ("Ada", "hash", "digest", "/settings")


@pytest.mark.parametrize(("length", "is_kept"), [(0, False), (1, True), (8_192, True), (8_193, False)])
def test_page_to_continue_at_is_kept_or_dropped(latchkey: TestApp, length: int, is_kept: bool) -> None:
    """The page to show after a sign-up is stored if its path has at most 8,192 characters, otherwise dropped."""
    assert pending("/" * length).after == ("/" * length if is_kept else None)


@pytest.mark.parametrize(
    ("signed_up_in", "opened_in", "is_same"),
    [("digest", "digest", True), ("digest", "other", False), ("digest", "", False), ("", "", False), ("", "x", False)],
)
def test_password_is_used_only_in_the_same_browser(
    latchkey: TestApp, signed_up_in: str, opened_in: str, is_same: bool
) -> None:
    """The password of a sign-up is used only in the same browser; two browsers without a cookie count as different."""
    assert pending_sign_up.is_same_browser(pending(browser=signed_up_in), opened_in) is is_same
    spent = OneTimeToken("digest", kind="ml", account_id="acc_x", expires_at=0)
    assert pending_sign_up.is_same_browser(spent, opened_in) is False


def test_new_account_and_verified_user_are_recorded(latchkey: TestApp) -> None:
    """The use of the token creates the account and its user, and records them, in one transaction."""
    user = use(pending())
    assert [event.type for event in record.newest_first(user.id, 9)] == ["user.email_verified", "user.created"]
    (account,) = Account.scan()
    assert [event.type for event in record.newest_first(account.id, 9)] == ["account.created"]
    assert user.email_verified_at == clock.now_ms()
    assert [each.consumed_at for each in OneTimeToken.scan()] == [clock.now_ms()]


def test_token_for_a_known_address_is_not_consumed(latchkey: TestApp) -> None:
    """If the address of a token already has a user, each use of the token raises HasUser and doesn't consume the
    token.
    """
    token = pending()
    new_account(email=EMAIL)
    for _ in range(2):
        with pytest.raises(pending_sign_up.HasUser) as raised:
            use(token)
        assert (raised.value.status, raised.value.error) == (409, "conflict")
    assert [each.consumed_at for each in OneTimeToken.scan()] == [None]


def test_concurrent_use_is_reported_as_a_used_link(latchkey: TestApp) -> None:
    """Of two concurrent uses of a token the second gets the error of a used link."""
    token = pending()
    with run_before("TransactWriteItems", lambda: use(token)), pytest.raises(email_links.SpentLink):
        use(token)
    assert Account.count() == 1


def test_token_expires_after_one_hour(latchkey: TestApp) -> None:
    """A token expires after one hour, to the millisecond, even if the database hasn't deleted it yet."""
    in_time, late = pending(), pending()
    latchkey.clock.forward(3_600)
    with pytest.raises(email_links.SpentLink):
        use(late)
    latchkey.clock.forward(-0.001)
    assert use(in_time).email == "ada@example.com"


def test_database_error_is_not_reported_as_a_used_link(latchkey: TestApp) -> None:
    """A database error while a token is used isn't reported as a used link, and the token stays valid."""
    token = pending()
    with fail_calls("TransactWriteItems"), pytest.raises(TransactWriteError):
        use(token)
    assert use(token).name == "Ada"
