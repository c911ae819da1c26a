"""Several people, or one person's several clicks, at once: each one-time thing happens once; what is over stays so.

Where it says "at once", all have read what they decide by before any of them writes.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from chalicelib.accounts import email_links, session_lifetime, sessions
from chalicelib.accounts import find as find_accounts
from chalicelib.accounts.tables import Account, Email, Session
from chalicelib.core import randomness, settings
from chalicelib.credentials import find
from chalicelib.limits import tiers
from tests.engine.faulty import Call, transaction
from tests.engine.holding import HoldingLine, at_once, met
from tests.support.console_client import PASSWORD, ConsoleClient, Page, hash_of, logged_in, person
from tests.support.harness import TestApp
from tests.support.mailbox import Mailbox, kept_in

TWENTY = 20
PLACE, EVERYWHERE = "/settings/account/sessions", "/settings/account/log-out-everywhere"
OTHER_PASSWORDS = ("harmonica wolverine custard", "telescope marmalade ostrich")


@pytest.fixture
def line(url: str) -> Iterator[HoldingLine]:
    """A line that can hold calls back."""
    laid = HoldingLine(url)
    yield laid
    laid.close()


@pytest.fixture
def box(latchkey: TestApp, tmp_path: Path) -> Iterator[Mailbox]:
    """Where mail goes."""
    with kept_in(tmp_path / "mail") as kept:
        yield kept


def sessions_write(operation: str) -> Callable[[Call], bool]:
    """Return the rule that picks one kind of write on sessions."""
    return lambda call: (call.operation, call.table) == (operation, "sessions")


def making_a_key(call: Call) -> bool:
    """Tell whether `call` stores a credential."""
    items = call.body.get("TransactItems", [])
    return any(item.get("Put", {}).get("TableName", "").endswith("-credentials") for item in items)


def statuses(pages: list[Page]) -> Counter[int]:
    """Count what was answered."""
    return Counter(page.status for page in pages)


def works(latchkey: TestApp, secret: str) -> bool:
    """Tell whether a key is accepted by a gateway and a function that have never seen it."""
    latchkey.forget()
    latchkey.gateway.cached.clear()
    return latchkey.call("GET", "/v1/users/me", secret).status == 200


@pytest.mark.parametrize("verified", [False, True], ids=["unproven", "proven"])
def test_mail_link_used_20_times_at_once_is_spent_once(latchkey: TestApp, line: HoldingLine, verified: bool) -> None:
    """Of 20 clicks on one link one confirms the address, proven before or not; the others are told that it is spent."""
    account = person(verified=verified)
    ticket = email_links.new_link(
        account.id, email_links.VERIFY_EMAIL, email=account.email, epoch=account.session_epoch
    )
    target = f"/verify?ticket={ticket}"
    clicks = []
    for _ in range(TWENTY):
        console = logged_in(latchkey, account)
        form = console.filled(console.open(target), "/verify", {})
        clicks.append(partial(console.send, "/verify", form))
    assert statuses(met(line, transaction, clicks)) == {303: 1, 410: TWENTY - 1}
    assert Account.get(account.id).session_epoch == (0 if verified else 1)


def test_change_of_address_confirmed_20_times_at_once_happens_once(latchkey: TestApp, line: HoldingLine) -> None:
    """Of 20 clicks on one link one moves the account; the others hear that it is spent, not that another has it."""
    account = person()
    wanted = f"{randomness.base62(8).lower()}@example.com"
    ticket = email_links.new_link(account.id, email_links.CHANGE_EMAIL, email=wanted, epoch=account.session_epoch)
    clicks = [click_on(latchkey, account, ticket) for _ in range(TWENTY)]
    assert statuses(met(line, transaction, clicks)) == {303: 1, 410: TWENTY - 1}
    assert Account.get(account.id).email == wanted


def test_change_of_address_asked_for_twice_and_confirmed_at_once_happens_once(
    latchkey: TestApp, line: HoldingLine
) -> None:
    """Of two links to one new address, used ten times each at once, one moves the account; nothing fails."""
    account = person()
    wanted = f"{randomness.base62(8).lower()}@example.com"
    tickets = [
        email_links.new_link(account.id, email_links.CHANGE_EMAIL, email=wanted, epoch=account.session_epoch)
        for _ in range(2)
    ]
    clicks = [click_on(latchkey, account, tickets[number % 2]) for number in range(TWENTY)]
    assert statuses(met(line, transaction, clicks)) == {303: 1, 410: TWENTY - 1}
    assert Account.get(account.id).email == wanted


def click_on(latchkey: TestApp, account: Account, ticket: str) -> Callable[[], Page]:
    """Return a click on the button of a link that changes an account's address, in a browser of its own."""
    console = logged_in(latchkey, account)
    form = console.filled(console.open(f"/verify?ticket={ticket}"), "/verify", {})
    return partial(console.send, "/verify", form)


def test_reset_links_of_one_account_at_once_set_one_password(latchkey: TestApp, line: HoldingLine) -> None:
    """Of two people with a link each, one sets the password, and it is that one's."""
    account = person()
    deeds = []
    for password in OTHER_PASSWORDS:
        ticket = email_links.new_link(
            account.id, email_links.SET_PASSWORD, email=account.email, epoch=account.session_epoch
        )
        console = ConsoleClient(latchkey)
        form = console.filled(console.open(f"/password?ticket={ticket}"), "/password", {"password": password})
        deeds.append(partial(console.send, "/password", form))
    pages = met(line, transaction, deeds)
    assert statuses(pages) == {303: 1, 410: 1}
    for password, page in zip(OTHER_PASSWORDS, pages, strict=True):
        assert ConsoleClient(latchkey).log_in(account.email, password).status == (303 if page.status == 303 else 401)


def test_form_sent_20_times_at_once_makes_one_key(latchkey: TestApp, line: HoldingLine) -> None:
    """However often a button is pressed, one form makes one key, and one answer shows its secret."""
    account = person()
    console = logged_in(latchkey, account)
    form = console.filled(console.open("/settings/keys/new"), "/settings/keys/new", {"name": "CI"})
    presses = [lambda: console.send("/settings/keys/new", form)] * TWENTY
    pages = met(line, making_a_key, presses)
    assert statuses(pages) == {200: 1, 409: TWENTY - 1}
    assert [key.name for key in find.keys_of(account.id)] == ["CI"]
    assert len(Account.get(account.id).live_keys.attribute_values) == 1


def test_two_tokens_for_one_address_at_once_make_one_account(
    latchkey: TestApp, line: HoldingLine, box: Mailbox
) -> None:
    """Two people signed up with it, and both links are used at the same moment: one account, and the other is told."""
    email, deeds = f"eve.{randomness.base62(8).lower()}@example.com", []
    for name in ("Eve", "Mallory"):
        console = ConsoleClient(latchkey)
        console.submit("/signup", email=email, name=name, password=PASSWORD)
        form = console.filled(console.open(box.take_one().target), "/verify", {})
        deeds.append(partial(console.send, "/verify", form))
    pages = met(line, transaction, deeds)
    assert statuses(pages) == {303: 1, 409: 1}
    accounts = [account for account in find_accounts.accounts_after("", 5_000) if account.email == email]
    assert [account.id for account in accounts] == [Email.get(email).account_id]
    assert accounts[0].name == ("Eve" if pages[0].status == 303 else "Mallory")


def test_sign_up_token_spent_20_times_at_once_makes_one_account(
    latchkey: TestApp, line: HoldingLine, box: Mailbox
) -> None:
    """However often the button is pressed, one makes the account and is logged in; the link is spent for the others."""
    email = f"ada.{randomness.base62(8).lower()}@example.com"
    console = ConsoleClient(latchkey)
    console.submit("/signup", email=email, name="Ada", password=PASSWORD)
    form = console.filled(console.open(box.take_one().target), "/verify", {})
    tabs = [ConsoleClient(latchkey, cookies=dict(console.cookies)) for _ in range(TWENTY)]
    pages = met(line, transaction, [partial(tab.send, "/verify", form) for tab in tabs])
    assert statuses(pages) == {303: 1, 410: TWENTY - 1}
    assert [bool(tab.session) for tab in tabs] == [page.status == 303 for page in pages]
    accounts = [account for account in find_accounts.accounts_after("", 5_000) if account.email == email]
    assert [account.id for account in accounts] == [Email.get(email).account_id]


def test_sign_ups_at_once_are_not_more_than_allowed(latchkey: TestApp, box: Mailbox) -> None:
    """Twenty from one network in the same moment: as many pass as are left, and the others send no mail."""
    ip = "192.0.2.99"
    latchkey.counted(f"sign-ups_{ip}", tiers.SIGN_UPS, used=27)
    deeds = []
    for number in range(TWENTY):
        console = ConsoleClient(latchkey, ip=ip)
        fields = {"email": f"at.once.{number}@example.com", "name": "Ada", "password": PASSWORD}
        deeds.append(partial(console.send, "/signup", console.filled(console.open("/signup"), "/signup", fields)))
    assert statuses(at_once(deeds)) == {200: 3, 429: TWENTY - 3}
    assert len(box.take()) == 3


def test_log_in_that_was_decided_before_the_address_is_proven_opens_nothing(
    latchkey: TestApp, line: HoldingLine
) -> None:
    """Twenty log-ins with a password that the first proof ends, written after it: no session of theirs is any good."""
    squatted = person(verified=False)
    ticket = email_links.new_link(
        squatted.id, email_links.VERIFY_EMAIL, email=squatted.email, epoch=squatted.session_epoch
    )
    consoles = [ConsoleClient(latchkey) for _ in range(TWENTY)]
    fields = {"email": squatted.email, "password": PASSWORD}
    log_ins = [partial(each.send, "/login", each.filled(each.open("/login"), "/login", fields)) for each in consoles]
    with line.holding(transaction) as held, ThreadPoolExecutor(TWENTY) as threads:
        under_way = [threads.submit(log_in) for log_in in log_ins]
        held.wait_for(TWENTY)
        account = Account.get(squatted.id)
        held.rule = lambda _: False
        email_links.set_password(email_links.looked_up(ticket, email_links.VERIFY_EMAIL), account, hash_of("another"))
        held.let_go()
        assert statuses([each.result() for each in under_way]) == {303: TWENTY}
    assert {console.open("/settings/account").status for console in consoles} == {303}
    latchkey.clock.forward(3_600)
    assert ConsoleClient(latchkey).log_in(squatted.email).status == 401


def test_account_that_is_made_while_its_predecessor_is_deleted_goes_on_counting(
    latchkey: TestApp, line: HoldingLine
) -> None:
    """What was asked before the deletion is asked again: the new account has used what the old one had."""
    account = person()
    latchkey.counted(account.id, tiers.FREE, used=600)
    leaving = logged_in(latchkey, account)
    form = leaving.filled(leaving.open("/settings/account"), "/settings/account/delete", {"password": PASSWORD})
    with line.holding(transaction) as held, ThreadPoolExecutor(1) as thread:
        making = thread.submit(lambda: person(email=account.email))
        held.wait_for(1)
        held.rule = lambda _: False
        assert leaving.send("/settings/account/delete", form).status == 303
        held.let_go()
        made = making.result()
    key = latchkey.key(made)
    assert latchkey.call("GET", "/v1/limits", key.secret).json()["quota"]["remaining"] == 399


def test_two_password_changes_at_once_one_wins(latchkey: TestApp, line: HoldingLine) -> None:
    """One sets the password and goes on; the other is told, its session is over, and its password opens nothing."""
    account = person()
    consoles = [logged_in(latchkey, account) for _ in OTHER_PASSWORDS]
    deeds = []
    for console, password in zip(consoles, OTHER_PASSWORDS, strict=True):
        page, action = console.open("/settings/account"), "/settings/account/password"
        form = console.filled(page, action, {"password": PASSWORD, "new_password": password})
        deeds.append(partial(console.send, action, form))
    pages = met(line, transaction, deeds)
    assert statuses(pages) == {303: 1, 409: 1}
    for console, password, page in zip(consoles, OTHER_PASSWORDS, pages, strict=True):
        won = page.status == 303
        assert console.open("/settings/account").status == (200 if won else 303)
        assert ConsoleClient(latchkey).log_in(account.email, password).status == (303 if won else 401)


def test_addresses_claimed_by_two_accounts_at_once_go_to_one(latchkey: TestApp, line: HoldingLine) -> None:
    """Of two accounts that move to one address at the same moment one gets it; the other keeps its own."""
    wanted = f"wanted.{randomness.base62(8).lower()}@example.com"
    accounts, deeds = [person(), person()], []
    for account in accounts:
        ticket = email_links.new_link(account.id, email_links.CHANGE_EMAIL, email=wanted, epoch=account.session_epoch)
        console = logged_in(latchkey, account)
        form = console.filled(console.open(f"/verify?ticket={ticket}"), "/verify", {})
        deeds.append(partial(console.send, "/verify", form))
    pages = met(line, transaction, deeds)
    assert statuses(pages) == {303: 1, 409: 1}
    for account, page in zip(accounts, pages, strict=True):
        has = wanted if page.status == 303 else account.email
        assert Account.get(account.id).email == has
        assert Email.get(has).account_id == account.id
    lost = [account.email for account, page in zip(accounts, pages, strict=True) if page.status == 303]
    with pytest.raises(Email.DoesNotExist):
        Email.get(lost[0])


def test_log_out_during_a_page_view_is_not_undone_by_it(latchkey: TestApp, line: HoldingLine) -> None:
    """A page that was asked for before the log-out and notes the visit after it doesn't bring the session back."""
    console = logged_in(latchkey, person())
    other_tab = ConsoleClient(latchkey, cookies=dict(console.cookies))
    form = console.filled(console.open("/settings/usage"), "/logout", {})
    latchkey.clock.forward(session_lifetime.SEEN_EVERY_MS / 1000)
    with line.holding(sessions_write("UpdateItem")) as held, ThreadPoolExecutor(1) as thread:
        view = thread.submit(lambda: other_tab.open("/settings/usage"))
        held.wait_for(1)
        session = console.session
        assert console.send("/logout", form).status == 303
        held.let_go()
        assert view.result().status == 200
    assert sessions.session_of(session) is None
    assert other_tab.open("/settings/usage").status == 303
    assert [found for found in Session.scan() if found.seen_at == latchkey.clock.now_ms and found.dies_at is None] == []


def test_page_views_and_log_out_20_at_once_leave_no_session(latchkey: TestApp) -> None:
    """However they fall together, after a log-out the session is over."""
    console = logged_in(latchkey, person())
    form = console.filled(console.open("/settings/account"), "/logout", {})
    session = console.session
    latchkey.clock.forward(session_lifetime.SEEN_EVERY_MS / 1000)
    tabs = [ConsoleClient(latchkey, cookies=dict(console.cookies)) for _ in range(TWENTY - 1)]
    clicks: list[Callable[[], Page]] = [partial(tab.open, "/settings/account") for tab in tabs]
    clicks.append(partial(console.send, "/logout", form))
    pages = at_once(clicks)
    assert {page.status for page in pages} <= {200, 303}
    assert sessions.session_of(session) is None


def test_sessions_ended_and_logged_out_everywhere_20_at_once_leave_none(latchkey: TestApp) -> None:
    """However they fall together with page views, which note the visit: nobody is logged in afterwards."""
    account = person()
    consoles = [logged_in(latchkey, account) for _ in range(TWENTY)]
    clicks: list[Callable[[], Page]] = []
    for each in consoles[:6]:
        end = f"{PLACE}/{each.session_id}/end"
        clicks.append(partial(each.send, end, each.filled(each.open(end), end, {})))
    last = consoles[6]
    everywhere = last.filled(last.open(EVERYWHERE), EVERYWHERE, {})
    latchkey.clock.forward(session_lifetime.SEEN_EVERY_MS / 1000)
    clicks += [partial(each.open, PLACE) for each in consoles[7:]]
    clicks.append(partial(last.send, EVERYWHERE, everywhere))
    secrets = [each.session for each in consoles]
    assert {page.status for page in at_once(clicks)} <= {200, 303}
    assert [secret for secret in secrets if sessions.session_of(secret) is not None] == []


def test_choices_of_two_reset_links_at_once_end_what_the_winner_chose(latchkey: TestApp, line: HoldingLine) -> None:
    """The loser sets no password and ends nothing."""
    account = person()
    keys = [latchkey.key(account) for _ in OTHER_PASSWORDS]
    deeds = []
    for password, key in zip(OTHER_PASSWORDS, keys, strict=True):
        ticket = email_links.new_link(
            account.id, email_links.SET_PASSWORD, email=account.email, epoch=account.session_epoch
        )
        console = ConsoleClient(latchkey)
        fields = {"password": password, "end": key.key.id}
        form = console.filled(console.open(f"/password?ticket={ticket}"), "/password", fields)
        deeds.append(partial(console.send, "/password", form))
    pages = met(line, transaction, deeds)
    assert statuses(pages) == {303: 1, 410: 1}
    assert [works(latchkey, key.secret) for key in keys] == [page.status == 410 for page in pages]


def test_deletion_before_a_key_that_is_being_made_leaves_none(latchkey: TestApp, line: HoldingLine) -> None:
    """A key whose making was decided before the deletion and written after it never comes to be."""
    account = person()
    maker = latchkey.key(account)
    console, leaving = logged_in(latchkey, account), logged_in(latchkey, account)
    form = console.filled(console.open("/settings/keys/new"), "/settings/keys/new", {"name": "Late"})
    body = {"name": "Late", "scopes": ["read"]}
    with line.holding(making_a_key) as held, ThreadPoolExecutor(2) as threads:
        by_page = threads.submit(lambda: console.send("/settings/keys/new", form))
        by_api = threads.submit(lambda: latchkey.call("POST", "/v1/keys", maker.secret, json_body=body))
        held.wait_for(2)
        gone = leaving.submit("/settings/account/delete", on="/settings/account", password=PASSWORD)
        assert gone.status == 303
        held.let_go()
        assert by_page.result().status == 404
        assert by_api.result().status == 404
    assert [key.name for key in find.keys_of(account.id) if key.is_live()] == []
    assert not works(latchkey, maker.secret)


def test_deletion_and_key_creations_20_at_once_leave_no_working_key(latchkey: TestApp) -> None:
    """However they fall together, after a deletion no key of the account works."""
    account = person()
    maker = latchkey.key(account)
    leaving = logged_in(latchkey, account)
    form = leaving.filled(leaving.open("/settings/account"), "/settings/account/delete", {"password": PASSWORD})
    body = {"name": "Late", "scopes": ["read"]}
    makers = [lambda: latchkey.call("POST", "/v1/keys", maker.secret, json_body=body)] * (TWENTY - 1)
    answers = at_once([*makers, lambda: leaving.send("/settings/account/delete", form).answer])
    assert answers[-1].status == 303
    made = [answer.json()["secret"] for answer in answers[:-1] if answer.status == 201]
    assert not any(works(latchkey, secret) for secret in [maker.secret, *made])


@pytest.mark.parametrize("by", ["api", "page"])
def test_key_that_is_being_made_when_the_address_is_proven_never_works(
    latchkey: TestApp, line: HoldingLine, by: str
) -> None:
    """Whoever had the account before its owner proved the address can't save a key over that moment."""
    squatted = person(verified=False)
    old = latchkey.key(squatted)
    squatter = logged_in(latchkey, squatted)
    form = squatter.filled(squatter.open("/settings/keys/new"), "/settings/keys/new", {"name": "Late"})
    ticket = email_links.new_link(
        squatted.id, email_links.VERIFY_EMAIL, email=squatted.email, epoch=squatted.session_epoch
    )
    body = {"name": "Late", "scopes": ["read"]}
    deeds = {
        "api": lambda: latchkey.call("POST", "/v1/keys", old.secret, json_body=body),
        "page": lambda: squatter.send("/settings/keys/new", form).answer,
    }
    with line.holding(making_a_key) as held, ThreadPoolExecutor(1) as thread:
        late = thread.submit(deeds[by])
        held.wait_for(1)
        assert ConsoleClient(latchkey).submit(f"/verify?ticket={ticket}", password=OTHER_PASSWORDS[0]).status == 303
        held.let_go()
        assert late.result().status == 409
    assert [key.name for key in find.keys_of(squatted.id) if key.is_live()] == []
    assert not works(latchkey, old.secret)


def test_log_in_attempts_at_once_are_not_more_than_allowed(latchkey: TestApp) -> None:
    """Guesses sent at the same moment are counted like guesses sent one after the other."""
    account = person()
    consoles = [ConsoleClient(latchkey) for _ in range(8)]
    pages = [(console, console.open("/login")) for console in consoles]
    fields = {"email": account.email, "password": "not the password at all"}
    with settings.in_use(replace(settings.current(), log_in_attempts_per_email=3)):
        guesses = [partial(console.send, "/login", console.filled(page, "/login", fields)) for console, page in pages]
        assert statuses(at_once(guesses)) == {401: 3, 429: 5}
