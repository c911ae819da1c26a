"""Concurrent token requests with one code or refresh token, and revocations during token requests.

In the tests with "during" in their name, one writer is held at its own write until the other has finished.
"""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from chalicelib.oauth.tables import Grant, OneTimeToken
from tests.engine.fault_proxy import Call, is_transaction
from tests.engine.fleet import Fleet
from tests.engine.hold_calls import HoldingProxy, release_together, run_concurrently
from tests.engine.oauth_races import (
    ONE_OF_TWENTY,
    TWENTY,
    RegisteredClient,
    assert_nothing_works,
    collect_tokens,
    find_accepted,
    is_spending,
    of_functions,
    send_everywhere,
    status_and_error,
)
from tests.support.console_client import new_account
from tests.support.harness import AccountOfTest, TestApp

pytestmark = pytest.mark.usefixtures("own_second")


def is_revoking(call: Call) -> bool:
    """Return whether a call revokes a grant."""
    return is_transaction(call) and "revoked_at" in json.dumps(
        [each.get("Update") for each in call.body["TransactItems"]]
    )


def assert_one_successor(account: AccountOfTest) -> None:
    """Assert that the only grant is active and has two refresh tokens: the consumed one and one successor."""
    (grant,) = Grant.by_account.query(account.id)
    assert grant.revoked_at is None
    its_refresh_tokens = OneTimeToken.scan((OneTimeToken.grant_id == grant.id) & (OneTimeToken.kind == "rt"))
    spent = Counter(ticket.consumed_at is not None for ticket in its_refresh_tokens)
    assert spent == {True: 1, False: 1}


def assert_one_pair(app: RegisteredClient, account: AccountOfTest, responses: list[dict[str, Any]]) -> None:
    """Assert that all 20 responses have the same valid tokens, and that no other tokens were stored."""
    assert len(responses) == TWENTY
    (access_token,) = {response["access_token"] for response in responses}
    (refresh_token,) = {response["refresh_token"] for response in responses}
    assert_one_successor(account)
    assert find_accepted(app.latchkey, responses[:1]) == [access_token] * 2
    assert app.ask(app.refresh({"refresh_token": refresh_token})).status == 200


def test_code_exchanged_20_times_concurrently_succeeds_once(
    latchkey: TestApp, proxy: HoldingProxy, app: RegisteredClient
) -> None:
    """Of 20 concurrent exchanges of one code one gets tokens. The others get invalid_grant and count as reuse, which
    revokes the issued tokens.
    """
    asked = app.redemption(app.code(new_account()))
    responses = release_together(proxy, is_spending, [partial(app.spend, asked)] * TWENTY)
    assert Counter(map(status_and_error, responses)) == ONE_OF_TWENTY
    assert_nothing_works(app, collect_tokens(responses))


@of_functions
def test_code_exchanged_by_four_processes_succeeds_once(
    latchkey: TestApp, fleet: Fleet, url: str, app: RegisteredClient
) -> None:
    """Of 20 exchanges by processes that share only the database, one succeeds."""
    replies = send_everywhere(latchkey, fleet, url, app.redemption(app.code(new_account())))
    assert Counter(map(status_and_error, replies)) == ONE_OF_TWENTY
    assert_nothing_works(app, [reply.body for reply in replies if reply.status == 200])


def test_refresh_token_used_20_times_concurrently_issues_one_pair(
    latchkey: TestApp, proxy: HoldingProxy, app: RegisteredClient
) -> None:
    """Twenty concurrent refreshes with one refresh token get the same two tokens. Both are valid, and the grant stays
    active.
    """
    account = new_account()
    responses = release_together(proxy, is_spending, [partial(app.spend, app.refresh(app.tokens(account)))] * TWENTY)
    assert_one_pair(app, account, collect_tokens(responses))


@of_functions
def test_refresh_token_used_by_four_processes_issues_one_pair(
    latchkey: TestApp, fleet: Fleet, url: str, app: RegisteredClient
) -> None:
    """Processes that share only the database issue one pair of tokens for 20 requests."""
    account = new_account()
    replies = send_everywhere(latchkey, fleet, url, app.refresh(app.tokens(account)))
    assert_one_pair(app, account, [reply.body for reply in replies if reply.status == 200])


def test_concurrent_refreshes_after_the_grace_are_reuse(latchkey: TestApp, app: RegisteredClient) -> None:
    """If a consumed refresh token is used 20 times concurrently after the grace period, all requests fail and the grant
    is revoked.
    """
    account = new_account()
    tokens = app.tokens(account)
    successor = app.ask(app.refresh(tokens)).json()
    latchkey.clock.forward(10 if app.client.is_public else 30)
    responses = run_concurrently([partial(app.spend, app.refresh(tokens))] * TWENTY)
    assert {status_and_error(response) for response in responses} == {(400, "invalid_grant")}
    assert_nothing_works(app, [tokens, successor])


def test_concurrent_refreshes_after_use_of_the_successor_are_reuse(latchkey: TestApp, app: RegisteredClient) -> None:
    """If a refresh token is used 20 times concurrently after its successor was used, all requests fail and the grant is
    revoked.
    """
    tokens = app.tokens(new_account())
    second = app.ask(app.refresh(tokens)).json()
    third = app.ask(app.refresh(second)).json()
    responses = run_concurrently([partial(app.spend, app.refresh(tokens))] * TWENTY)
    assert {status_and_error(response) for response in responses} == {(400, "invalid_grant")}
    assert_nothing_works(app, [tokens, second, third])


def test_revocation_during_a_refresh_leaves_no_valid_token(
    latchkey: TestApp, proxy: HoldingProxy, app: RegisteredClient
) -> None:
    """If a grant is revoked between the check and the write of a refresh, the refresh fails."""
    tokens = app.tokens(new_account())
    with proxy.hold(is_spending) as held, ThreadPoolExecutor(1) as thread:
        refresh = thread.submit(app.spend, app.refresh(tokens))
        held.wait_for(1)
        assert app.revoke(tokens["refresh_token"]).status == 200
        held.release()
        assert status_and_error(refresh.result()) == (400, "invalid_grant")
    assert_nothing_works(app, [tokens])


def test_refresh_during_a_revocation_leaves_no_valid_token(
    latchkey: TestApp, proxy: HoldingProxy, app: RegisteredClient
) -> None:
    """Tokens issued between the read and the write of a revocation are invalid afterwards."""
    tokens = app.tokens(new_account())
    with proxy.hold(is_revoking) as held, ThreadPoolExecutor(1) as thread:
        revocation = thread.submit(app.revoke, tokens["refresh_token"])
        held.wait_for(1)
        successor = app.spend(app.refresh(tokens)).json()
        held.release()
        assert revocation.result().status == 200
    assert_nothing_works(app, [tokens, successor])


def test_concurrent_revocations_and_refreshes_leave_no_valid_token(latchkey: TestApp, app: RegisteredClient) -> None:
    """In any order of the requests, no token of the grant is valid after a successful revocation."""
    tokens = app.tokens(new_account())
    refreshes = [partial(app.spend, app.refresh(tokens))] * (TWENTY // 2)
    revocations = [partial(app.revoke, tokens["refresh_token"])] * (TWENTY // 2)
    responses = run_concurrently([*refreshes, *revocations])
    assert {response.status for response in responses[TWENTY // 2 :]} == {200}
    assert_nothing_works(app, [tokens, *collect_tokens(responses)])
