"""Email links that are used several times concurrently take effect once.

Every caller has read the state on which it decides before any caller writes.
"""

from collections.abc import Callable
from functools import partial

import pytest

from chalicelib.accounts import email_links
from chalicelib.accounts import find as find_users
from chalicelib.accounts.tables import EmailClaim, User
from chalicelib.core import randomness
from tests.engine.console_races import OTHER_PASSWORDS, TWENTY, count_statuses, is_accepted
from tests.engine.fault_proxy import is_transaction
from tests.engine.hold_calls import HoldingProxy, release_together
from tests.support.console_client import PASSWORD, ConsoleClient, Page, log_in_as, new_account
from tests.support.harness import AccountOfTest, TestApp
from tests.support.mailbox import Mailbox


@pytest.mark.parametrize("verified", [False, True], ids=["unverified", "verified"])
def test_verification_link_used_20_times_concurrently_works_once(
    latchkey: TestApp, proxy: HoldingProxy, verified: bool
) -> None:
    """Of 20 concurrent uses of a link one verifies the address, even if it is already verified. The
    others get a 410.
    """
    account = new_account(verified=verified)
    ticket = email_links.new_link(
        account.user_id, email_links.VERIFY_EMAIL, email=account.email, epoch=account.user.session_epoch
    )
    target = f"/verify?ticket={ticket}"
    clicks = []
    for _ in range(TWENTY):
        console = log_in_as(latchkey, account)
        form = console.fill(console.open(target), "/verify", {})
        clicks.append(partial(console.send, "/verify", form))
    assert count_statuses(release_together(proxy, is_transaction, clicks)) == {303: 1, 410: TWENTY - 1}
    assert User.get(account.user_id).session_epoch == (0 if verified else 1)


def test_email_change_confirmed_20_times_concurrently_happens_once(latchkey: TestApp, proxy: HoldingProxy) -> None:
    """Of 20 concurrent uses of a link one changes the address. The others get a 410 and not a 409."""
    account = new_account()
    wanted = f"{randomness.base62(8).lower()}@example.com"
    ticket = email_links.new_link(
        account.user_id, email_links.CHANGE_EMAIL, email=wanted, epoch=account.user.session_epoch
    )
    clicks = [click_on(latchkey, account, ticket) for _ in range(TWENTY)]
    assert count_statuses(release_together(proxy, is_transaction, clicks)) == {303: 1, 410: TWENTY - 1}
    assert User.get(account.user_id).email == wanted


def test_email_change_requested_twice_and_confirmed_concurrently_happens_once(
    latchkey: TestApp, proxy: HoldingProxy
) -> None:
    """Of two links to one new address, each used ten times concurrently, one use changes the address."""
    account = new_account()
    wanted = f"{randomness.base62(8).lower()}@example.com"
    tickets = [
        email_links.new_link(account.user_id, email_links.CHANGE_EMAIL, email=wanted, epoch=account.user.session_epoch)
        for _ in range(2)
    ]
    clicks = [click_on(latchkey, account, tickets[number % 2]) for number in range(TWENTY)]
    assert count_statuses(release_together(proxy, is_transaction, clicks)) == {303: 1, 410: TWENTY - 1}
    assert User.get(account.user_id).email == wanted


def click_on(latchkey: TestApp, account: AccountOfTest, ticket: str) -> Callable[[], Page]:
    """Return a function that submits the form of an email change link in a separate browser."""
    console = log_in_as(latchkey, account)
    form = console.fill(console.open(f"/verify?ticket={ticket}"), "/verify", {})
    return partial(console.send, "/verify", form)


def test_concurrent_reset_links_of_one_account_set_one_password(latchkey: TestApp, proxy: HoldingProxy) -> None:
    """If two links to reset the password of one account are used concurrently, one sets the password and the other gets
    a 410.
    """
    account = new_account()
    deeds = []
    for password in OTHER_PASSWORDS:
        ticket = email_links.new_link(
            account.user_id, email_links.SET_PASSWORD, email=account.email, epoch=account.user.session_epoch
        )
        console = ConsoleClient(latchkey)
        form = console.fill(console.open(f"/password?ticket={ticket}"), "/password", {"password": password})
        deeds.append(partial(console.send, "/password", form))
    pages = release_together(proxy, is_transaction, deeds)
    assert count_statuses(pages) == {303: 1, 410: 1}
    for password, page in zip(OTHER_PASSWORDS, pages, strict=True):
        assert ConsoleClient(latchkey).log_in(account.email, password).status == (303 if page.status == 303 else 401)


def test_concurrent_sign_up_links_for_one_address_create_one_account(
    latchkey: TestApp, proxy: HoldingProxy, box: Mailbox
) -> None:
    """Of two sign-ups with one address, confirmed concurrently, one creates the account; the other gets a 409."""
    email, deeds = f"eve.{randomness.base62(8).lower()}@example.com", []
    for name in ("Eve", "Mallory"):
        console = ConsoleClient(latchkey)
        console.submit("/signup", email=email, name=name, password=PASSWORD)
        form = console.fill(console.open(box.take_one().target), "/verify", {})
        deeds.append(partial(console.send, "/verify", form))
    pages = release_together(proxy, is_transaction, deeds)
    assert count_statuses(pages) == {303: 1, 409: 1}
    users = [user for user in find_users.users_after("", 5_000) if user.email == email]
    assert [user.id for user in users] == [EmailClaim.get(email).user_id]
    assert users[0].name == ("Eve" if pages[0].status == 303 else "Mallory")


def test_sign_up_link_used_20_times_concurrently_creates_one_account(
    latchkey: TestApp, proxy: HoldingProxy, box: Mailbox
) -> None:
    """Of 20 concurrent uses of a sign-up link one creates the account and a session; the others get a 410."""
    email = f"ada.{randomness.base62(8).lower()}@example.com"
    console = ConsoleClient(latchkey)
    console.submit("/signup", email=email, name="Ada", password=PASSWORD)
    form = console.fill(console.open(box.take_one().target), "/verify", {})
    tabs = [ConsoleClient(latchkey, cookies=dict(console.cookies)) for _ in range(TWENTY)]
    pages = release_together(proxy, is_transaction, [partial(tab.send, "/verify", form) for tab in tabs])
    assert count_statuses(pages) == {303: 1, 410: TWENTY - 1}
    assert [bool(tab.session) for tab in tabs] == [page.status == 303 for page in pages]
    users = [user for user in find_users.users_after("", 5_000) if user.email == email]
    assert [user.id for user in users] == [EmailClaim.get(email).user_id]


def test_concurrent_reset_links_revoke_only_the_winners_selection(latchkey: TestApp, proxy: HoldingProxy) -> None:
    """Of two concurrent password resets one succeeds. The other sets no password and revokes no key."""
    account = new_account()
    keys = [latchkey.key(account) for _ in OTHER_PASSWORDS]
    deeds = []
    for password, key in zip(OTHER_PASSWORDS, keys, strict=True):
        ticket = email_links.new_link(
            account.user_id, email_links.SET_PASSWORD, email=account.email, epoch=account.user.session_epoch
        )
        console = ConsoleClient(latchkey)
        fields = {"password": password, "end": key.key.id}
        form = console.fill(console.open(f"/password?ticket={ticket}"), "/password", fields)
        deeds.append(partial(console.send, "/password", form))
    pages = release_together(proxy, is_transaction, deeds)
    assert count_statuses(pages) == {303: 1, 410: 1}
    assert [is_accepted(latchkey, key.secret) for key in keys] == [page.status == 410 for page in pages]
