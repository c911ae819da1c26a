"""Concurrent changes of one account: keys created during a deletion or a verification, and forms submitted repeatedly.

Every caller has read the state on which it decides before any caller writes.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from chalicelib.accounts import email_links
from chalicelib.accounts.tables import Account, EmailClaim, User
from chalicelib.core import randomness
from chalicelib.credentials import find
from chalicelib.limits import tiers
from tests.engine.console_races import OTHER_PASSWORDS, TWENTY, count_statuses, is_accepted, stores_a_key
from tests.engine.fault_proxy import is_transaction
from tests.engine.hold_calls import HoldingProxy, release_together, run_concurrently
from tests.support.console_client import PASSWORD, ConsoleClient, log_in_as, new_account
from tests.support.harness import TestApp
from tests.support.mailbox import Mailbox


def test_form_submitted_20_times_concurrently_creates_one_key(latchkey: TestApp, proxy: HoldingProxy) -> None:
    """A form that is submitted 20 times concurrently creates one key, and only one response shows the key's secret."""
    account = new_account()
    console = log_in_as(latchkey, account)
    form = console.fill(console.open("/settings/keys/new"), "/settings/keys/new", {"name": "CI"})
    presses = [lambda: console.send("/settings/keys/new", form)] * TWENTY
    pages = release_together(proxy, stores_a_key, presses)
    assert count_statuses(pages) == {200: 1, 409: TWENTY - 1}
    assert [key.name for key in find.keys_of(account.id)] == ["CI"]
    assert len(Account.get(account.id).live_keys.attribute_values) == 1


def test_concurrent_sign_ups_never_exceed_the_limit(latchkey: TestApp, box: Mailbox) -> None:
    """Twenty concurrent sign-ups from one network create accounts up to the limit; the others send no email."""
    ip = "192.0.2.99"
    latchkey.set_counters(f"sign-ups_{ip}", tiers.SIGN_UPS, used=27)
    deeds = []
    for number in range(TWENTY):
        console = ConsoleClient(latchkey, ip=ip)
        fields = {"email": f"at.once.{number}@example.com", "name": "Ada", "password": PASSWORD}
        deeds.append(partial(console.send, "/signup", console.fill(console.open("/signup"), "/signup", fields)))
    assert count_statuses(run_concurrently(deeds)) == {200: 3, 429: TWENTY - 3}
    assert len(box.take()) == 3


def test_account_created_during_its_predecessors_deletion_keeps_the_usage(
    latchkey: TestApp, proxy: HoldingProxy
) -> None:
    """If an account is created while another with the same address is being deleted with its user, the new account
    starts with the usage of the deleted one.
    """
    account = new_account()
    latchkey.set_counters(account.id, tiers.FREE, used=600)
    leaving = log_in_as(latchkey, account)
    form = leaving.fill(leaving.open("/settings/account"), "/settings/account/delete", {"password": PASSWORD})
    with proxy.hold(is_transaction) as held, ThreadPoolExecutor(1) as thread:
        making = thread.submit(lambda: new_account(email=account.email))
        held.wait_for(1)
        held.rule = lambda _: False
        assert leaving.send("/settings/account/delete", form).status == 303
        gone = leaving.submit("/settings/profile/delete", on="/settings/profile", password=PASSWORD)
        assert gone.status == 303
        held.release()
        made = making.result()
    key = latchkey.key(made)
    assert latchkey.call("GET", "/v1/limits", key.secret).json()["quota"]["remaining"] == 399


def test_address_claimed_by_two_users_concurrently_is_given_to_one(latchkey: TestApp, proxy: HoldingProxy) -> None:
    """Of two concurrent changes to one address one succeeds, and the other user keeps their address."""
    wanted = f"wanted.{randomness.base62(8).lower()}@example.com"
    accounts, deeds = [new_account(), new_account()], []
    for account in accounts:
        ticket = email_links.new_link(
            account.user_id, email_links.CHANGE_EMAIL, email=wanted, epoch=account.user.session_epoch
        )
        console = log_in_as(latchkey, account)
        form = console.fill(console.open(f"/verify?ticket={ticket}"), "/verify", {})
        deeds.append(partial(console.send, "/verify", form))
    pages = release_together(proxy, is_transaction, deeds)
    assert count_statuses(pages) == {303: 1, 409: 1}
    for account, page in zip(accounts, pages, strict=True):
        has = wanted if page.status == 303 else account.email
        assert User.get(account.user_id).email == has
        assert EmailClaim.get(has).user_id == account.user_id
    lost = [account.email for account, page in zip(accounts, pages, strict=True) if page.status == 303]
    with pytest.raises(EmailClaim.DoesNotExist):
        EmailClaim.get(lost[0])


def test_key_created_during_account_deletion_is_not_stored(latchkey: TestApp, proxy: HoldingProxy) -> None:
    """If an account is deleted between the check and the write of a key's creation, the creation fails."""
    account = new_account()
    maker = latchkey.key(account)
    console, leaving = log_in_as(latchkey, account), log_in_as(latchkey, account)
    form = console.fill(console.open("/settings/keys/new"), "/settings/keys/new", {"name": "Late"})
    body = {"name": "Late", "scopes": ["read"]}
    with proxy.hold(stores_a_key) as held, ThreadPoolExecutor(2) as threads:
        by_page = threads.submit(lambda: console.send("/settings/keys/new", form))
        by_api = threads.submit(lambda: latchkey.call("POST", "/v1/keys", maker.secret, json_body=body))
        held.wait_for(2)
        gone = leaving.submit("/settings/account/delete", on="/settings/account", password=PASSWORD)
        assert gone.status == 303
        held.release()
        assert by_page.result().status == 404
        assert by_api.result().status == 404
    assert [key.name for key in find.keys_of(account.id)] == [maker.key.name]
    assert not is_accepted(latchkey, maker.secret)


def test_concurrent_deletion_and_key_creations_leave_no_valid_key(latchkey: TestApp) -> None:
    """In any order of the requests, no key of a deleted account is valid."""
    account = new_account()
    maker = latchkey.key(account)
    leaving = log_in_as(latchkey, account)
    form = leaving.fill(leaving.open("/settings/account"), "/settings/account/delete", {"password": PASSWORD})
    body = {"name": "Late", "scopes": ["read"]}
    makers = [lambda: latchkey.call("POST", "/v1/keys", maker.secret, json_body=body)] * (TWENTY - 1)
    responses = run_concurrently([*makers, lambda: leaving.send("/settings/account/delete", form).answer])
    assert responses[-1].status == 303
    made = [answer.json()["secret"] for answer in responses[:-1] if answer.status == 201]
    assert not any(is_accepted(latchkey, secret) for secret in [maker.secret, *made])


@pytest.mark.parametrize("by", ["api", "page"])
def test_key_created_during_email_verification_is_never_valid(latchkey: TestApp, proxy: HoldingProxy, by: str) -> None:
    """If an account's address is verified between the check and the write of a key's creation, the creation fails."""
    squatted = new_account(verified=False)
    old = latchkey.key(squatted)
    squatter = log_in_as(latchkey, squatted)
    form = squatter.fill(squatter.open("/settings/keys/new"), "/settings/keys/new", {"name": "Late"})
    ticket = email_links.new_link(
        squatted.user_id, email_links.VERIFY_EMAIL, email=squatted.email, epoch=squatted.user.session_epoch
    )
    body = {"name": "Late", "scopes": ["read"]}
    deeds = {
        "api": lambda: latchkey.call("POST", "/v1/keys", old.secret, json_body=body),
        "page": lambda: squatter.send("/settings/keys/new", form).answer,
    }
    with proxy.hold(stores_a_key) as held, ThreadPoolExecutor(1) as thread:
        late = thread.submit(deeds[by])
        held.wait_for(1)
        assert ConsoleClient(latchkey).submit(f"/verify?ticket={ticket}", password=OTHER_PASSWORDS[0]).status == 303
        held.release()
        assert late.result().status == 409
    assert [key.name for key in find.keys_of(squatted.id) if key.is_live()] == []
    assert not is_accepted(latchkey, old.secret)
