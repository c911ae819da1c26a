"""A device authorization as it is stored, decided and polled, without the pages."""

from dataclasses import replace
from typing import Any

import pytest
from pynamodb.exceptions import TransactWriteError, UpdateError

from chalicelib.core import errors, secrets
from chalicelib.events import kinds
from chalicelib.oauth import delete_client, device
from chalicelib.oauth.tables import Client, Grant, OneTimeToken
from tests.credentials.events import told
from tests.oauth.flow import ISSUER, App
from tests.support.harness import NOON_MS, TestApp
from tests.support.interleaving import after, failing, sent

FILES = "https://files.example.com"
LIFETIME_MS = 600_000


def start(app: App, *, scopes: set[str] | None = None, resources: set[str] | None = None) -> dict[str, Any]:
    """Open a device authorization."""
    return device.start(app.client, scopes=scopes or {"read"}, resources=resources or set(), base_url=ISSUER)


def ticket_of(answer: dict[str, Any]) -> OneTimeToken:
    """Return what is stored of it."""
    return OneTimeToken.get(secrets.digest(answer["device_code"]))


@pytest.mark.parametrize("resources", [set[str](), {FILES}])
def test_device_is_answered_and_stored_for_ten_minutes(latchkey: TestApp, app: App, resources: set[str]) -> None:
    """RFC 8628 §3.2; what is stored overwrites nothing."""
    with sent() as calls:
        answer = start(app, scopes={"read", "write"}, resources=resources)
    code = answer["user_code"]
    assert answer == {
        "device_code": answer["device_code"],
        "user_code": code,
        "verification_uri": f"{ISSUER}/device",
        "verification_uri_complete": f"{ISSUER}/device?user_code={code}",
        "expires_in": 600,
        "interval": 5,
    }
    assert (len(code), code[4]) == (9, "-")
    assert set(code) - {"-"} <= set("BCDFGHJKLMNPQRSTVWXZ")
    ticket = ticket_of(answer)
    assert (ticket.kind, ticket.client_id, ticket.scopes, ticket.interval_s) == ("dc", app.id, {"read", "write"}, 5)
    assert (ticket.attribute_values.get("resources") or set()) == resources
    assert (ticket.expires_at, ticket.dies_at) == (NOON_MS + LIFETIME_MS, (NOON_MS + LIFETIME_MS) // 1000)
    (pointer,) = OneTimeToken.scan(OneTimeToken.kind == "uc")
    assert (pointer.client_id, pointer.device_digest) == (app.id, ticket.digest)
    assert (pointer.expires_at, pointer.dies_at) == (ticket.expires_at, ticket.dies_at)
    puts = [write["Put"] for _, request in calls for write in request["TransactItems"]]
    assert all("attribute_not_exists" in put["ConditionExpression"] for put in puts)


def test_fault_of_the_database_is_no_code_that_another_shows(latchkey: TestApp, app: App) -> None:
    """It is raised, not tried again for ever."""
    with failing("TransactWriteItems"), pytest.raises(TransactWriteError):
        start(app)


@pytest.mark.parametrize(("before_it", "found"), [(0, True), (92, True), (93, False)])
def test_so_much_of_what_is_typed_is_looked_at(latchkey: TestApp, app: App, before_it: int, found: bool) -> None:
    """A hundred characters, of which a code has eight letters."""
    letters = start(app)["user_code"].replace("-", "")
    typed = "-" * before_it + letters.lower()
    if found:
        assert device.find_pending(typed).user_code == f"{letters[:4]}-{letters[4:]}"
    else:
        with pytest.raises(errors.NotFound, match="This code is incorrect"):
            device.find_pending(typed)


@pytest.mark.parametrize("letter", ["ſ", "ⅽ", "A", "1"])
def test_letter_that_no_device_shows_is_left_out(latchkey: TestApp, app: App, letter: str) -> None:
    """Also one of another script that becomes one of ours as a capital."""
    answer = start(app)
    assert device.find_pending(f"{letter}{answer['user_code']}{letter}").user_code == answer["user_code"]


def test_decision_holds_for_all_that_the_page_says(latchkey: TestApp, app: App) -> None:
    """Who asks, the code, and for what."""
    waiting = device.find_pending(start(app, scopes={"read"}, resources={FILES})["user_code"])
    for name, value in {"user_code": "BBBBBBBB", "scopes": {"write"}, "resources": None}.items():
        ticket = OneTimeToken.get(waiting.device_code.digest)
        setattr(ticket, name, value)
        assert replace(waiting, device_code=ticket).page_digest != waiting.page_digest, name
    client = Client.get(app.id)
    client.name = "Other"
    assert replace(waiting, client=client).page_digest != waiting.page_digest
    again = device.find_pending(waiting.user_code)
    assert again.page_digest == waiting.page_digest


def test_approval_is_a_grant_of_what_was_asked_for(latchkey: TestApp, app: App) -> None:
    """It is told to the account, and kept as long as the grant."""
    account = latchkey.account()
    answer = start(app, scopes={"write"}, resources={FILES})
    waiting = device.find_pending(answer["user_code"])
    latchkey.clock.forward(1)
    with sent() as calls:
        device.approve(waiting, account.id)
    (grant,) = Grant.by_account.query(account.id)
    ticket = ticket_of(answer)
    assert (grant.client_id, grant.scopes, grant.resources) == (app.id, {"write"}, {FILES})
    assert (ticket.decision, ticket.account_id, ticket.grant_id) == ("approved", account.id, grant.id)
    assert (ticket.granted_at, ticket.dies_at) == (NOON_MS + 1_000, grant.dies_at)
    about = {"grant": grant.id, "application": app.id, "scopes": "write", "name": "Photos"}
    assert told(account.id) == [(kinds.GRANT_CREATED, about)]
    puts = [write["Put"] for _, request in calls for write in request["TransactItems"] if "Put" in write]
    assert all("attribute_not_exists" in put.get("ConditionExpression", "") for put in puts)


def test_approval_keeps_a_client_that_registered_itself(latchkey: TestApp, app: App) -> None:
    """As one on the consent page does; a no doesn't."""
    app.client.update(actions=[Client.dies_at.set(NOON_MS // 1000 + 9)])
    codes = [start(app)["user_code"] for _ in range(2)]
    device.deny(device.find_pending(codes[0]), latchkey.account().id)
    assert Client.get(app.id).dies_at == NOON_MS // 1000 + 9
    device.approve(device.find_pending(codes[1]), latchkey.account().id)
    assert "dies_at" not in Client.get(app.id).attribute_values


def test_denial_is_who_denied_and_when(latchkey: TestApp, app: App) -> None:
    """No grant, nothing told, and it is kept no longer."""
    account = latchkey.account()
    answer = start(app)
    device.deny(device.find_pending(answer["user_code"]), account.id)
    ticket = ticket_of(answer)
    assert (ticket.decision, ticket.account_id, ticket.granted_at) == ("denied", account.id, NOON_MS)
    assert ticket.dies_at == (NOON_MS + LIFETIME_MS) // 1000
    assert (list(Grant.scan()), told(account.id)) == ([], [])


def test_device_is_decided_once_and_before_its_end(latchkey: TestApp, app: App) -> None:
    """Of a yes and a no at the same moment the first stands; at its end it is too late for both."""
    account = latchkey.account()
    waiting, late = (device.find_pending(start(app)["user_code"]) for _ in range(2))
    device.deny(waiting, account.id)
    with pytest.raises(errors.NotFound, match="already used or has expired"):
        device.approve(waiting, account.id)
    with pytest.raises(errors.NotFound, match="already used or has expired"):
        device.find_pending(waiting.user_code)
    latchkey.clock.now_ms += LIFETIME_MS - 1
    assert device.find_pending(late.user_code)
    latchkey.clock.now_ms += 1
    for decide in (device.approve, device.deny):
        with pytest.raises(errors.NotFound, match="already used or has expired"):
            decide(late, account.id)
    with pytest.raises(errors.NotFound, match="already used or has expired"):
        device.find_pending(late.user_code)
    assert list(Grant.scan()) == []


def test_device_of_a_client_that_has_ended_is_not_found(latchkey: TestApp, app: App) -> None:
    """It is too late for it."""
    code = start(app)["user_code"]
    delete_client.delete(app.client)
    with pytest.raises(errors.NotFound, match="already used or has expired"):
        device.find_pending(code)


def test_device_that_polls_too_fast_waits_five_seconds_longer_for_good(latchkey: TestApp, app: App) -> None:
    """RFC 8628 §3.5: its interval is kept, and each poll counts, also one that came too soon."""
    answer = start(app)
    said = []
    for wait_ms in (0, 5_000, 4_999, 10_000, 9_999, 15_000):
        latchkey.clock.now_ms += wait_ms
        said.append(device.polls_too_fast(ticket_of(answer)))
        assert ticket_of(answer).polled_at == latchkey.clock.now_ms
    assert said == [False, False, True, False, True, False]
    assert ticket_of(answer).interval_s == 15


def test_device_that_is_forgotten_meanwhile_does_not_come_back(latchkey: TestApp, app: App) -> None:
    """Half of an item would stay for good."""
    gone = ticket_of(start(app))
    gone.delete()
    assert device.polls_too_fast(gone)
    assert OneTimeToken.found(gone.digest) is None
    answer = start(app)
    ticket = ticket_of(answer)
    device.polls_too_fast(ticket)
    with after("UpdateItem", ticket.delete):
        assert device.polls_too_fast(ticket)
    assert OneTimeToken.found(ticket.digest) is None


def test_fault_of_the_database_is_no_poll_that_came_too_soon(latchkey: TestApp, app: App) -> None:
    """It is raised as it came."""
    ticket = ticket_of(start(app))
    with failing("UpdateItem", "tickets"), pytest.raises(UpdateError):
        device.polls_too_fast(ticket)
    assert ticket_of_interval(ticket) == 5


def ticket_of_interval(ticket: OneTimeToken) -> int:
    """Return the interval that is stored."""
    return OneTimeToken.get(ticket.digest).interval_s
