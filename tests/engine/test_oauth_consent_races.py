"""Concurrent consents, and disconnections and deletions of clients during token requests.

In the tests with "during" in their name, one writer is held at its own write until the other has finished.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from urllib.parse import urlencode

import pytest

from chalicelib.accounts import invalidation, members
from chalicelib.accounts.members import Membership
from chalicelib.accounts.tables import Account, User
from chalicelib.core import clock
from chalicelib.core.dynamodb import models
from chalicelib.oauth import clients, consent, delete_client, grants
from chalicelib.oauth.tables import Consent
from infra.local_gateway.response import Response
from tests.engine.fault_proxy import Call, is_transaction
from tests.engine.fleet import PUBLIC_URL
from tests.engine.hold_calls import HoldingProxy, release_together, run_concurrently
from tests.engine.oauth_races import (
    REDIRECT,
    TWENTY,
    Parameters,
    RegisteredClient,
    assert_nothing_works,
    collect_tokens,
    find_accepted,
    is_spending,
    status_and_error,
    tables_of,
)
from tests.support.console_client import ConsoleClient, Fields, Page, log_in_as, new_account
from tests.support.harness import AccountOfTest, TestApp

pytestmark = pytest.mark.usefixtures("own_second")


def is_remembering(call: Call) -> bool:
    """Return whether a call updates a consent."""
    return is_transaction(call) and "consents" in tables_of(call, "Update")


def is_replacing(call: Call) -> bool:
    """Return whether a call replaces a consent."""
    return is_transaction(call) and "consents" in tables_of(call, "Put")


def assert_remembered(app: RegisteredClient, account: AccountOfTest, asked: list[Parameters]) -> None:
    """Assert that the stored consent has exactly the scopes and resources of these requests."""
    lines = {f"https://app.example.com {each['resource']} {each['scope']}" for each in asked}
    assert Consent.get(account.user_id, f"{account.id}#{app.id}").allowed == lines


def owner_of(app: RegisteredClient) -> AccountOfTest:
    """Return the account that registered a client."""
    account = Account.get(str(app.client.account_id))
    return AccountOfTest(members.find(User.get(account.created_by), account.id))


def build_submit(console: ConsoleClient, action: str, form: Fields) -> Callable[[], Response]:
    """Return a function that submits a form."""
    return lambda: console.send(action, form).answer


def test_concurrent_consents_add_up(latchkey: TestApp, proxy: HoldingProxy) -> None:
    """Twenty concurrent consents to different scopes and resources are all stored."""
    app, account = RegisteredClient(latchkey, "confidential"), new_account()
    asked = [
        app.authorization(scope=scope, resource=f"{PUBLIC_URL}/v1/{number}")
        for number in range(TWENTY // 2)
        for scope in ("read", "write")
    ]
    release_together(proxy, is_remembering, [partial(app.approved, account, each) for each in asked])
    assert_remembered(app, account, asked)
    everything = [*app.authorization().items(), *(("resource", each["resource"]) for each in asked[::2])]
    page = log_in_as(latchkey, account).open(f"/oauth/authorize?{urlencode(everything)}")
    assert page.location.startswith(f"{REDIRECT}?code=")


def test_concurrent_consents_replace_an_invalid_one(latchkey: TestApp, proxy: HoldingProxy) -> None:
    """Twenty concurrent consents together replace a consent that is older than the verification of the address."""
    app, account = RegisteredClient(latchkey, "confidential"), new_account()
    app.approved(account, app.authorization(scope="write", resource=f"{PUBLIC_URL}/v1/of-a-squatter"))
    latchkey.clock.forward(1)
    account.user.update(actions=[User.credentials_since.set(clock.now_ms())])
    asked = [app.authorization(scope="read", resource=f"{PUBLIC_URL}/v1/{number}") for number in range(TWENTY)]
    release_together(proxy, is_replacing, [partial(app.approved, account, each) for each in asked])
    assert_remembered(app, account, asked)


def test_client_deleted_during_code_exchanges_leaves_no_valid_token(latchkey: TestApp, proxy: HoldingProxy) -> None:
    """If a client is deleted between the check and the write of a code exchange, the issued token is invalid."""
    app = RegisteredClient(latchkey, "confidential")
    asked = [app.redemption(app.code(new_account())) for _ in range(4)]
    with proxy.hold(is_spending) as held, ThreadPoolExecutor(4) as threads:
        redemptions = [threads.submit(app.spend, each) for each in asked]
        held.wait_for(len(asked))
        delete_client.delete(clients.get_of_account(str(app.client.account_id), app.id))
        held.release()
        responses = [redemption.result() for redemption in redemptions]
    assert_nothing_works(app, collect_tokens(responses))


def test_concurrent_client_deletion_and_code_exchanges_leave_no_valid_token(
    latchkey: TestApp, app: RegisteredClient
) -> None:
    """In any order of deletion and exchanges, no token of a deleted client is valid."""
    owner = log_in_as(latchkey, owner_of(app))
    path = f"/settings/applications/{app.id}"
    form = owner.fill(owner.open(f"{path}/delete"), f"{path}/delete", {})
    redemptions = [partial(app.spend, app.redemption(app.code(new_account()))) for _ in range(TWENTY - 2)]
    own = partial(app.spend, {"grant_type": clients.CLIENT_CREDENTIALS, **app.credentials})
    deeds: list[Callable[[], Response]] = [*redemptions, own, build_submit(owner, f"{path}/delete", form)]
    responses = run_concurrently(deeds)
    assert responses[-1].status == 303
    everything = collect_tokens(responses)
    assert find_accepted(latchkey, everything) == []
    assert {status_and_error(each()) for each in (*redemptions, own)} == {(401, "invalid_client")}


@pytest.mark.parametrize("exchange", ["redemption", "refresh"])
def test_consent_withdrawal_during_an_exchange_leaves_no_valid_token(
    latchkey: TestApp, proxy: HoldingProxy, app: RegisteredClient, exchange: str
) -> None:
    """If consent is withdrawn between the check and the write of a code exchange or refresh, the request fails."""
    account = new_account()
    tokens = app.tokens(account)
    asked = app.refresh(tokens) if exchange == "refresh" else app.redemption(app.code(account))
    with proxy.hold(is_spending) as held, ThreadPoolExecutor(1) as thread:
        late = thread.submit(app.spend, asked)
        held.wait_for(1)
        consent.withdraw(account.user_id, account.id, app.id)
        held.release()
        assert status_and_error(late.result()) == (400, "invalid_grant")
    assert_nothing_works(app, [tokens])


@pytest.mark.parametrize("exchange", ["redemption", "refresh"])
def test_removal_of_the_member_during_an_exchange_leaves_no_valid_token(
    latchkey: TestApp, proxy: HoldingProxy, app: RegisteredClient, exchange: str
) -> None:
    """If the user is removed from the account between the check and the write of a code exchange or refresh, the
    request fails.
    """
    guest = latchkey.member(new_account(), "developer")
    tokens = app.tokens(guest)
    asked = app.refresh(tokens) if exchange == "refresh" else app.redemption(app.code(guest))
    with proxy.hold(is_spending) as held, ThreadPoolExecutor(1) as thread:
        late = thread.submit(app.spend, asked)
        held.wait_for(1)
        held.rule = lambda _: False
        remove(guest.membership)
        held.release()
        assert status_and_error(late.result()) == (400, "invalid_grant")
    assert_nothing_works(app, [tokens])


def remove(membership: Membership) -> None:
    """Remove a member by a transaction, and invalidate the cached policies."""
    with models.transaction() as write:
        members.remove_from(write, membership.member, membership.manager)
    assert invalidation.mark_account(membership.account.id)


def test_concurrent_consent_withdrawal_and_refreshes_leave_no_valid_token(
    latchkey: TestApp, app: RegisteredClient
) -> None:
    """In any order of withdrawal and refreshes, no token of the client for this account is valid afterwards."""
    account = new_account()
    held = [app.tokens(account) for _ in range(4)]
    console = log_in_as(latchkey, account)
    asks = console.open(f"/settings/connected/disconnect?client_id={app.id}")
    form = console.fill(asks, "/settings/connected", {})
    refreshes = [partial(app.spend, app.refresh(held[at % 4])) for at in range(TWENTY - 1)]
    deeds: list[Callable[[], Response]] = [*refreshes, build_submit(console, "/settings/connected", form)]
    responses = run_concurrently(deeds)
    assert responses[-1].status == 303
    assert_nothing_works(app, [*held, *collect_tokens(responses)])
    assert list(grants.of_account(account.id)) == []


def test_silent_authorization_during_consent_withdrawal_asks_for_consent(
    latchkey: TestApp, proxy: HoldingProxy, app: RegisteredClient
) -> None:
    """If consent is withdrawn between the check and the write of an authorization without a page, the consent page is
    shown.
    """
    account = new_account()
    app.code(account)
    console = log_in_as(latchkey, account)
    silently = f"/oauth/authorize?{urlencode(app.authorization())}"
    with proxy.hold(is_transaction) as held, ThreadPoolExecutor(1) as thread:
        late = thread.submit(console.open, silently)
        held.wait_for(1)
        held.rule = lambda _: False
        consent.withdraw(account.user_id, account.id, app.id)
        held.release()
        assert late.result().status == 200
    assert list(grants.of_account(account.id)) == []
    assert console.open(silently).status == 200


def test_concurrent_silent_authorizations_and_withdrawal_leave_no_grant(
    latchkey: TestApp, app: RegisteredClient
) -> None:
    """In any order of authorizations and withdrawal, the consent page is shown afterwards and no code can be
    exchanged.
    """
    account = new_account()
    app.code(account)
    console = log_in_as(latchkey, account)
    asks = console.open(f"/settings/connected/disconnect?client_id={app.id}")
    form = console.fill(asks, "/settings/connected", {})
    silently = f"/oauth/authorize?{urlencode(app.authorization())}"
    tabs = [ConsoleClient(latchkey, cookies=dict(console.cookies)) for _ in range(TWENTY - 1)]
    deeds: list[Callable[[], Page]] = [partial(tab.open, silently) for tab in tabs]
    deeds.append(partial(console.send, "/settings/connected", form))
    pages = run_concurrently(deeds)
    assert pages[-1].status == 303
    assert {page.status for page in pages[:-1]} <= {200, 303}
    assert list(grants.of_account(account.id)) == []
    assert console.open(silently).status == 200
