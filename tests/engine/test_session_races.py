"""Concurrent log-ins, log-outs and page views: an ended session stays ended.

Every caller has read the state on which it decides before any caller writes.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

from chalicelib.accounts import email_links, session_lifetime, sessions
from chalicelib.accounts.tables import Session, User
from chalicelib.core import settings
from tests.engine.console_races import EVERYWHERE, OTHER_PASSWORDS, PLACE, TWENTY, count_statuses, session_write
from tests.engine.fault_proxy import is_transaction
from tests.engine.hold_calls import HoldingProxy, release_together, run_concurrently
from tests.support.console_client import PASSWORD, ConsoleClient, Page, hash_of, log_in_as, new_account
from tests.support.harness import TestApp


def test_log_in_during_email_verification_opens_no_valid_session(latchkey: TestApp, proxy: HoldingProxy) -> None:
    """If the first verification replaces the password between the check and the write of a log-in, the session is
    invalid.
    """
    squatted = new_account(verified=False)
    ticket = email_links.new_link(
        squatted.user_id, email_links.VERIFY_EMAIL, email=squatted.email, epoch=squatted.user.session_epoch
    )
    consoles = [ConsoleClient(latchkey) for _ in range(TWENTY)]
    fields = {"email": squatted.email, "password": PASSWORD}
    log_ins = [partial(each.send, "/login", each.fill(each.open("/login"), "/login", fields)) for each in consoles]
    with proxy.hold(is_transaction) as held, ThreadPoolExecutor(TWENTY) as threads:
        under_way = [threads.submit(log_in) for log_in in log_ins]
        held.wait_for(TWENTY)
        user = User.get(squatted.user_id)
        held.rule = lambda _: False
        email_links.set_password(email_links.find_link(ticket, email_links.VERIFY_EMAIL), user, hash_of("another"))
        held.release()
        assert count_statuses([each.result() for each in under_way]) == {303: TWENTY}
    assert {console.open("/settings/account").status for console in consoles} == {303}
    latchkey.clock.forward(3_600)
    assert ConsoleClient(latchkey).log_in(squatted.email).status == 401


def test_concurrent_password_changes_one_succeeds(latchkey: TestApp, proxy: HoldingProxy) -> None:
    """Of two concurrent changes one sets the password; the other gets a 409, and its session ends."""
    account = new_account()
    consoles = [log_in_as(latchkey, account) for _ in OTHER_PASSWORDS]
    deeds = []
    for console, password in zip(consoles, OTHER_PASSWORDS, strict=True):
        page, action = console.open("/settings/profile"), "/settings/profile/password"
        form = console.fill(page, action, {"password": PASSWORD, "new_password": password})
        deeds.append(partial(console.send, action, form))
    pages = release_together(proxy, is_transaction, deeds)
    assert count_statuses(pages) == {303: 1, 409: 1}
    for console, password, page in zip(consoles, OTHER_PASSWORDS, pages, strict=True):
        won = page.status == 303
        assert console.open("/settings/account").status == (200 if won else 303)
        assert ConsoleClient(latchkey).log_in(account.email, password).status == (303 if won else 401)


def test_log_out_during_a_page_view_ends_the_session(latchkey: TestApp, proxy: HoldingProxy) -> None:
    """A page view that updates the session's last use after a log-out doesn't restore the session."""
    console = log_in_as(latchkey, new_account())
    other_tab = ConsoleClient(latchkey, cookies=dict(console.cookies))
    form = console.fill(console.open("/settings/usage"), "/logout", {})
    latchkey.clock.forward(session_lifetime.SEEN_EVERY_MS / 1000)
    with proxy.hold(session_write("UpdateItem")) as held, ThreadPoolExecutor(1) as thread:
        view = thread.submit(lambda: other_tab.open("/settings/usage"))
        held.wait_for(1)
        session = console.session
        assert console.send("/logout", form).status == 303
        held.release()
        assert view.result().status == 200
    assert sessions.session_of(session) is None
    assert other_tab.open("/settings/usage").status == 303
    assert [found for found in Session.scan() if found.seen_at == latchkey.clock.now_ms and found.dies_at is None] == []


def test_concurrent_page_views_and_log_out_leave_no_session(latchkey: TestApp) -> None:
    """In any order of page views and a log-out, the session is ended afterwards."""
    console = log_in_as(latchkey, new_account())
    form = console.fill(console.open("/settings/account"), "/logout", {})
    session = console.session
    latchkey.clock.forward(session_lifetime.SEEN_EVERY_MS / 1000)
    tabs = [ConsoleClient(latchkey, cookies=dict(console.cookies)) for _ in range(TWENTY - 1)]
    clicks: list[Callable[[], Page]] = [partial(tab.open, "/settings/account") for tab in tabs]
    clicks.append(partial(console.send, "/logout", form))
    pages = run_concurrently(clicks)
    assert {page.status for page in pages} <= {200, 303}
    assert sessions.session_of(session) is None


def test_concurrent_log_outs_everywhere_leave_no_session(latchkey: TestApp) -> None:
    """In any order of log-outs and page views, no session is left, although page views update the
    sessions' last use.
    """
    account = new_account()
    consoles = [log_in_as(latchkey, account) for _ in range(TWENTY)]
    clicks: list[Callable[[], Page]] = []
    for each in consoles[:6]:
        end = f"{PLACE}/{each.session_id}/end"
        clicks.append(partial(each.send, end, each.fill(each.open(end), end, {})))
    last = consoles[6]
    everywhere = last.fill(last.open(EVERYWHERE), EVERYWHERE, {})
    latchkey.clock.forward(session_lifetime.SEEN_EVERY_MS / 1000)
    clicks += [partial(each.open, PLACE) for each in consoles[7:]]
    clicks.append(partial(last.send, EVERYWHERE, everywhere))
    secrets = [each.session for each in consoles]
    assert {page.status for page in run_concurrently(clicks)} <= {200, 303}
    assert [secret for secret in secrets if sessions.session_of(secret) is not None] == []


def test_concurrent_log_in_attempts_never_exceed_the_limit(latchkey: TestApp) -> None:
    """Concurrent guesses count against the limit like sequential ones."""
    account = new_account()
    consoles = [ConsoleClient(latchkey) for _ in range(8)]
    pages = [(console, console.open("/login")) for console in consoles]
    fields = {"email": account.email, "password": "not the password at all"}
    with settings.override(replace(settings.current(), log_in_attempts_per_email=3)):
        guesses = [partial(console.send, "/login", console.fill(page, "/login", fields)) for console, page in pages]
        assert count_statuses(run_concurrently(guesses)) == {401: 3, 429: 5}
