"""Setting a password by a link: what is ticked ends at the next request, and everything else goes on."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from chalicelib.accounts import email_links, sessions, unfinished
from chalicelib.accounts.tables import Account
from chalicelib.accounts.unfinished import SETTLED_MS, SLICE
from chalicelib.core import clock
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import WireError
from chalicelib.events import kinds, record
from chalicelib.oauth import clients, consent, grants
from chalicelib.termination import finish
from chalicelib.webhooks import endpoints
from chalicelib.webhooks.tables import Endpoint
from tests.api.console.places import told_to_nobody
from tests.oauth.flow import CLIENT, App, Person, registered, someone, works
from tests.support.console_client import ConsoleClient, Page, person
from tests.support.harness import TestApp

OTHER = "harmonica wolverine custard"
LATER_MS = 60_000


@dataclass(frozen=True, slots=True)
class Leftover:
    """Two of everything in Ada's account: a key, an application with its token, a webhook; and two connected apps."""

    ada: Person
    keys: list[Any]
    apps: list[App]
    tokens: list[str]
    webhooks: list[Endpoint]
    connected: list[str]


def left(latchkey: TestApp) -> Leftover:
    """Return what stands in an account that somebody else was in."""
    ada = someone(latchkey)
    apps = [registered(latchkey, owner=ada.account) for _ in range(2)]
    return Leftover(
        ada,
        keys=[latchkey.key(ada.account) for _ in range(2)],
        apps=apps,
        tokens=[app.ask(CLIENT).json()["access_token"] for app in apps],
        webhooks=[endpoints.owned(ada.account.id, told_to_nobody(ada.account).endpoint_id) for _ in range(2)],
        connected=[ada.grant(registered(latchkey))[0] for _ in range(2)],
    )


def link(account: Account, *, mailed: bool = True) -> str:
    """Return the path of a link that sets a password."""
    email = account.email if mailed else None
    ticket = email_links.new_link(account.id, email_links.SET_PASSWORD, email=email, epoch=account.session_epoch)
    return f"/password?ticket={ticket}"


def ticked(page: Page) -> dict[str, bool]:
    """Return every box of the page by its value, and whether it is ticked."""
    boxes = re.findall(r'<input type="checkbox"[^>]*>', page.html)
    return {re.findall(r'value="([^"]+)"', box)[0]: " checked" in box for box in boxes}


def minute_passes() -> None:
    """Let the minute's function run."""
    finish.all_unfinished(clock.now_ms() + LATER_MS)


@pytest.mark.parametrize("mailed", [True, False])
def test_link_offers_what_there_is_and_ticks_connected_apps_only(latchkey: TestApp, mailed: bool) -> None:
    """Every key, application and webhook by its name, unticked; also by a link that was handed over."""
    there = left(latchkey)
    page = ConsoleClient(latchkey).open(link(there.ada.account, mailed=mailed))
    ids = [key.key.id for key in there.keys] + [app.id for app in there.apps] + [hook.id for hook in there.webhooks]
    assert ticked(page) == {"end": True} | dict.fromkeys(ids, False)
    assert "Log out everywhere and disconnect apps" in page.text
    for shown in (there.keys[0].key.hint, there.apps[0].client.name, there.webhooks[0].name):
        assert shown in page.text, shown
    assert page.secrets == []


def test_ticked_things_end_at_the_next_request_and_others_go_on(latchkey: TestApp) -> None:
    """One key, one application and one webhook of two; the untouched box disconnects both apps; sessions are over."""
    there = left(latchkey)
    account, chosen = there.ada.account, [there.keys[0].key.id, there.apps[0].id, there.webhooks[0].id]
    assert all(
        works(latchkey, token) for token in [*there.tokens, *there.connected, *(key.secret for key in there.keys)]
    )
    page = ConsoleClient(latchkey).submit(link(account), password=OTHER, end=chosen)
    assert page.location == "/login?done=password-set"
    assert [works(latchkey, key.secret) for key in there.keys] == [False, True]
    assert [works(latchkey, token) for token in there.tokens] == [False, True]
    assert [works(latchkey, token) for token in there.connected] == [False, False]
    assert [app.id for app in there.apps if clients.find(app.id)] == [there.apps[1].id]
    assert [hook.id for hook in endpoints.of_account(account.id)] == [there.webhooks[1].id]
    assert list(consent.of_account(Account.get(account.id))) == []
    assert sessions.session_of(there.ada.session) is None


def test_unticked_box_leaves_apps_connected_and_ends_sessions(latchkey: TestApp) -> None:
    """Nothing but the sessions ends, and nothing is left to be finished."""
    there = left(latchkey)
    page = ConsoleClient(latchkey).submit(link(there.ada.account), password=OTHER, connected="")
    assert page.location == "/login?done=password-set"
    assert all(
        works(latchkey, token) for token in [*there.tokens, *there.connected, *(key.secret for key in there.keys)]
    )
    assert len(list(consent.of_account(there.ada.account))) == 2
    assert sessions.session_of(there.ada.session) is None
    assert list(unfinished.all_there_are()) == []


def test_ids_of_another_account_end_nothing(latchkey: TestApp) -> None:
    """A form that was tampered with names somebody else's key, application and webhook, and what is none."""
    there, other = left(latchkey), left(latchkey)
    foreign = [other.keys[0].key.id, other.apps[0].id, other.webhooks[0].id, "connected", "nonsense", ""]
    console = ConsoleClient(latchkey)
    page = console.submit(link(there.ada.account), password=OTHER, end=foreign, connected="")
    assert page.location == "/login?done=password-set"
    assert works(latchkey, other.keys[0].secret)
    assert works(latchkey, other.tokens[0])
    assert all(works(latchkey, token) for token in there.connected)
    assert len(list(endpoints.of_account(other.ada.account.id))) == 2
    assert list(unfinished.all_there_are()) == []


@pytest.mark.parametrize("why", ["weak", "too_old"])
def test_refused_form_keeps_what_was_ticked(latchkey: TestApp, why: str) -> None:
    """A password that is too weak, or a page that was open for too long, ends nothing and unticks nothing."""
    there = left(latchkey)
    key, hook = there.keys[1].key.id, there.webhooks[0].id
    console, target = ConsoleClient(latchkey), link(there.ada.account)
    form = console.filled(console.open(target), "/password", {"password": "password1234", "end": [key, hook]})
    del form["connected"]
    if why == "too_old":
        form |= {"password": OTHER, "csrf": "old"}
    page = console.send("/password", form)
    assert page.status == (400 if why == "weak" else 403)
    assert {value for value, is_ticked in ticked(page).items() if is_ticked} == {key, hook}
    assert works(latchkey, there.keys[1].secret)
    again = console.filled(page, "/password", {"password": OTHER})
    assert console.send("/password", again).status == 303
    assert not works(latchkey, there.keys[1].secret)
    assert all(works(latchkey, token) for token in there.connected)


def test_spent_link_ends_nothing(latchkey: TestApp) -> None:
    """Of two uses of a link only the first ends what was ticked with it."""
    there = left(latchkey)
    first, second = ConsoleClient(latchkey), ConsoleClient(latchkey)
    target = link(there.ada.account)
    late = second.filled(second.open(target), "/password", {"password": OTHER, "end": [there.keys[0].key.id]})
    assert first.submit(target, password=OTHER).status == 303
    assert second.send("/password", late).status == 410
    assert works(latchkey, there.keys[0].secret)


def test_first_password_offers_nothing(latchkey: TestApp) -> None:
    """Nobody was logged in before, so there is nothing to be ended."""
    account = latchkey.account(name="Ada")
    assert ticked(ConsoleClient(latchkey).open(link(account))) == {}


def test_first_proof_of_an_address_says_that_everything_ends(latchkey: TestApp) -> None:
    """There is nothing to choose: whoever made the account before may have been somebody else."""
    account = person(verified=False)
    latchkey.key(account)
    page = ConsoleClient(latchkey).open(link(account))
    assert ticked(page) == {}
    assert "everything from before ends" in page.text


def test_handed_over_link_ends_no_key_that_is_not_ticked(latchkey: TestApp) -> None:
    """It proves no address, so what an unverified account has goes on."""
    account = person(verified=False)
    kept, ended = latchkey.key(account), latchkey.key(account)
    page = ConsoleClient(latchkey).submit(link(account, mailed=False), password=OTHER, end=[ended.key.id])
    assert page.status == 303
    assert (works(latchkey, kept.secret), works(latchkey, ended.secret)) == (True, False)


def test_more_connected_apps_than_a_request_can_end_are_ended_by_the_minutes_function(latchkey: TestApp) -> None:
    """The page says that not all of it has ended yet; what is allowed afterwards goes on."""
    ada = someone(latchkey)
    app = registered(latchkey)
    for _ in range(SLICE + 1):
        grants.new(ada.account.id, app.id, scopes={"read"}, resources=set()).save()
    console = ConsoleClient(latchkey)
    page = console.follow(console.submit(link(ada.account), password=OTHER))
    assert "Not all that you selected could be ended yet" in page.notice
    latchkey.clock.forward(30)
    ada.logs_in_again()
    token, _ = ada.grant(app)
    for _ in range(2):
        minute_passes()
        latchkey.clock.forward(SETTLED_MS / 1000)
    assert [grant.created_at for grant in grants.of_account(ada.account.id)] == [clock.now_ms() - 2 * SETTLED_MS]
    assert works(latchkey, token)
    assert [each.client_id for each in consent.of_account(Account.get(ada.account.id))] == [app.id]
    assert list(unfinished.all_there_are()) == []


def failing(table: str) -> Callable[[str, dict[str, Any]], dict[str, Any]]:
    """Return a wire on which no transaction that touches a table succeeds."""
    by_wire = dynamodb.sender()

    def sent(operation: str, request: dict[str, Any]) -> dict[str, Any]:
        if operation == "TransactWriteItems" and f'-{table}"' in str(request).replace("'", '"'):
            raise WireError("InternalServerError", "no such luck", {})
        return by_wire(operation, request)

    return sent


def test_what_can_not_be_ended_keeps_nothing_else_and_is_tried_again(latchkey: TestApp) -> None:
    """While keys can't be revoked the rest ends, the log-in page says so, and a minute later the key ends, too."""
    there = left(latchkey)
    console, target = ConsoleClient(latchkey), link(there.ada.account)
    chosen = [there.keys[0].key.id, there.apps[0].id, there.webhooks[0].id]
    form = console.filled(console.open(target), "/password", {"password": OTHER, "end": chosen})
    with dynamodb.sent_by(failing("credentials")):
        page = console.send("/password", form)
    assert page.location == "/login?done=password-set-not-all-ended"
    assert console.follow(page).notice.startswith("Your password is set")
    assert not works(latchkey, there.tokens[0])
    assert len(list(endpoints.of_account(there.ada.account.id))) == 1
    assert works(latchkey, there.keys[0].secret)
    minute_passes()
    assert not works(latchkey, there.keys[0].secret)
    (event,) = record.newest_first(there.ada.account.id, 10, kind=kinds.KEY_REVOKED)
    assert event.changed.as_dict()["key"] == there.keys[0].key.id


def test_fifty_applications_end_in_one_request(latchkey: TestApp) -> None:
    """As many as an account can have, with keys and webhooks, fit into one form."""
    ada = someone(latchkey)
    apps = [registered(latchkey, owner=ada.account) for _ in range(clients.OWNED_MAX)]
    keys = [latchkey.key(ada.account) for _ in range(20)]
    hooks = [told_to_nobody(ada.account).endpoint_id for _ in range(endpoints.ENDPOINTS_MAX)]
    chosen = [app.id for app in apps] + [key.key.id for key in keys] + hooks
    page = ConsoleClient(latchkey).submit(link(ada.account), password=OTHER, end=chosen)
    assert page.location == "/login?done=password-set"
    assert [app.id for app in apps if clients.find(app.id)] == []
    assert list(endpoints.of_account(ada.account.id)) == []
    assert not works(latchkey, keys[19].secret)
