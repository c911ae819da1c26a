"""Concurrent polls and decisions of one device code."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from chalicelib.oauth import device
from tests.engine.fault_proxy import Call, Rule
from tests.engine.fleet import Fleet
from tests.engine.hold_calls import HoldingProxy, release_together, run_concurrently
from tests.engine.oauth_races import (
    ONE_OF_TWENTY,
    TWENTY,
    RegisteredClient,
    is_spending,
    of_functions,
    send_everywhere,
    status_and_error,
)
from tests.oauth.flow import choice_of
from tests.support.console_client import Page, log_in_as, new_account
from tests.support.harness import TestApp

pytestmark = pytest.mark.usefixtures("own_second")


def match_first_of(rule: Rule) -> Rule:
    """Return a rule that matches only the first call that `rule` matches, and its retries."""
    picked: list[Call] = []

    def picks(call: Call) -> bool:
        if rule(call) and not picked:
            picked.append(call)
        return call in picked

    return picks


def test_device_code_polled_20_times_concurrently_is_exchanged_once(
    latchkey: TestApp, proxy: HoldingProxy, app: RegisteredClient
) -> None:
    """Of 20 concurrent polls of an approved device code one gets tokens, and the others get invalid_grant."""
    device_code, user_code = app.device_code()
    device.approve(device.find_pending(user_code), choice_of(new_account(), "read"))
    responses = release_together(proxy, is_spending, [partial(app.spend, app.poll(device_code))] * TWENTY)
    assert Counter(map(status_and_error, responses)) == ONE_OF_TWENTY


@of_functions
def test_device_code_polled_by_four_processes_is_exchanged_once(
    latchkey: TestApp, fleet: Fleet, url: str, app: RegisteredClient
) -> None:
    """Of concurrent polls from processes that share only the database, one gets tokens."""
    device_code, user_code = app.device_code()
    device.approve(device.find_pending(user_code), choice_of(new_account(), "read"))
    replies = send_everywhere(latchkey, fleet, url, app.poll(device_code))
    assert Counter(map(status_and_error, replies)) == ONE_OF_TWENTY


def test_concurrent_polls_of_a_pending_device_code_are_slowed_down(latchkey: TestApp) -> None:
    """Of 20 concurrent polls of a pending device code one gets authorization_pending, and the others get slow_down."""
    app = RegisteredClient(latchkey, "public")
    device_code, _ = app.device_code()
    responses = run_concurrently([partial(app.spend, app.poll(device_code))] * TWENTY)
    assert Counter(map(status_and_error, responses)) == {
        (400, "authorization_pending"): 1,
        (400, "slow_down"): TWENTY - 1,
    }


def test_device_code_decided_by_20_users_concurrently_is_decided_once(
    latchkey: TestApp, proxy: HoldingProxy, app: RegisteredClient
) -> None:
    """Of ten approvals and ten denials that are sent concurrently one takes effect, and the others get a 404."""
    device_code, user_code = app.device_code()
    decisions = []
    for decision in ("allow", "deny") * (TWENTY // 2):
        console = log_in_as(latchkey, new_account())
        page = console.open(f"/device?user_code={user_code}")
        form = console.fill(page, "/device", {"decision": decision})
        decisions.append(partial(console.send, "/device", form))
    pages = release_together(proxy, is_spending, decisions)
    assert Counter(page.status for page in pages) == {200: 1, 404: TWENTY - 1}
    allowed = next(at for at, page in enumerate(pages) if page.status == 200) % 2 == 0
    assert status_and_error(app.ask(app.poll(device_code))) == ((200, "") if allowed else (400, "access_denied"))


@pytest.mark.parametrize("first", ["allow", "deny"])
def test_second_decision_changes_nothing(latchkey: TestApp, proxy: HoldingProxy, first: str) -> None:
    """A decision that is written after another one has no effect and gets a 404."""
    app = RegisteredClient(latchkey, "public")
    device_code, user_code = app.device_code()
    second = {"allow": "deny", "deny": "allow"}[first]
    early, late = (build_decision(latchkey, user_code, decision) for decision in (first, second))
    with proxy.hold(match_first_of(is_spending)) as held, ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(late)
        held.wait_for(1)
        assert early().status == 200
        held.release()
        assert waiting.result().status == 404
    assert status_and_error(app.ask(app.poll(device_code))) == (
        (200, "") if first == "allow" else (400, "access_denied")
    )


def build_decision(latchkey: TestApp, user_code: str, decision: str) -> Callable[[], Page]:
    """Return a function that submits the decision of an open device page."""
    console = log_in_as(latchkey, new_account())
    form = console.fill(console.open(f"/device?user_code={user_code}"), "/device", {"decision": decision})
    return partial(console.send, "/device", form)
