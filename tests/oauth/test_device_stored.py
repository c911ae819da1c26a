"""Device authorizations in DynamoDB: starting, deciding and polling, without the pages."""

from dataclasses import replace
from typing import Any

import pytest
from pynamodb.exceptions import TransactWriteError, UpdateError

from chalicelib.core import errors, secrets
from chalicelib.events import kinds
from chalicelib.oauth import delete_client, device
from chalicelib.oauth.tables import Client, Grant, OneTimeToken
from tests.credentials.events import recorded_events
from tests.oauth.flow import ISSUER, App, choice_of
from tests.support.harness import START_MS, TestApp
from tests.support.interleaving import fail_calls, record_calls, run_after

FILES = "https://files.example.com"
LIFETIME_MS = 600_000


def start(app: App, *, scopes: set[str] | None = None, resources: set[str] | None = None) -> dict[str, Any]:
    """Start a device authorization."""
    return device.start(app.client, scopes=scopes or {"read"}, resources=resources or set(), base_url=ISSUER)


def device_code_of(response: dict[str, Any]) -> OneTimeToken:
    """Return the stored device code of an authorization."""
    return OneTimeToken.get(secrets.digest(response["device_code"]))


@pytest.mark.parametrize("resources", [set[str](), {FILES}])
def test_device_authorization_is_stored_for_ten_minutes(latchkey: TestApp, app: App, resources: set[str]) -> None:
    """RFC 8628 §3.2: device code and user code are deleted after ten minutes, and storing them overwrites no item."""
    with record_calls() as calls:
        response = start(app, scopes={"read", "write"}, resources=resources)
    code = response["user_code"]
    assert response == {
        "device_code": response["device_code"],
        "user_code": code,
        "verification_uri": f"{ISSUER}/device",
        "verification_uri_complete": f"{ISSUER}/device?user_code={code}",
        "expires_in": 600,
        "interval": 5,
    }
    assert (len(code), code[4]) == (9, "-")
    assert set(code) - {"-"} <= set("BCDFGHJKLMNPQRSTVWXZ")
    device_code = device_code_of(response)
    assert (device_code.kind, device_code.client_id, device_code.scopes, device_code.interval_s) == (
        "dc",
        app.id,
        {"read", "write"},
        5,
    )
    assert (device_code.attribute_values.get("resources") or set()) == resources
    assert (device_code.expires_at, device_code.dies_at) == (START_MS + LIFETIME_MS, (START_MS + LIFETIME_MS) // 1000)
    (pointer,) = OneTimeToken.scan(OneTimeToken.kind == "uc")
    assert (pointer.client_id, pointer.device_digest) == (app.id, device_code.digest)
    assert (pointer.expires_at, pointer.dies_at) == (device_code.expires_at, device_code.dies_at)
    puts = [write["Put"] for _, request in calls for write in request["TransactItems"]]
    assert all("attribute_not_exists" in put["ConditionExpression"] for put in puts)


def test_database_error_does_not_draw_another_code(latchkey: TestApp, app: App) -> None:
    """A database error while storing a code is raised, and not retried as if the code were in use."""
    with fail_calls("TransactWriteItems"), pytest.raises(TransactWriteError):
        start(app)


@pytest.mark.parametrize(("before_it", "found"), [(0, True), (92, True), (93, False)])
def test_entered_code_is_read_up_to_a_length(latchkey: TestApp, app: App, before_it: int, found: bool) -> None:
    """Only the first hundred characters of an entered user code are read."""
    letters = start(app)["user_code"].replace("-", "")
    typed = "-" * before_it + letters.lower()
    if found:
        assert device.find_pending(typed).user_code == f"{letters[:4]}-{letters[4:]}"
    else:
        with pytest.raises(errors.NotFound, match="This code is incorrect"):
            device.find_pending(typed)


@pytest.mark.parametrize("letter", ["ſ", "ⅽ", "A", "1"])
def test_letters_outside_the_alphabet_are_ignored(latchkey: TestApp, app: App, letter: str) -> None:
    """Letters outside the alphabet are ignored, even if their upper-case form is in it."""
    response = start(app)
    assert device.find_pending(f"{letter}{response['user_code']}{letter}").user_code == response["user_code"]


def test_decision_is_bound_to_the_content_of_the_page(latchkey: TestApp, app: App) -> None:
    """The page digest covers client, user code, scopes, resources, and the offered accounts with their scopes."""
    account = latchkey.account()
    offered = [choice_of(account, "read")]
    pending = device.find_pending(start(app, scopes={"read"}, resources={FILES})["user_code"])
    for name, value in {"user_code": "BBBBBBBB", "scopes": {"write"}, "resources": None}.items():
        device_code = OneTimeToken.get(pending.device_code.digest)
        setattr(device_code, name, value)
        assert replace(pending, device_code=device_code).page_digest(offered) != pending.page_digest(offered), name
    client = Client.get(app.id)
    client.name = "Other"
    assert replace(pending, client=client).page_digest(offered) != pending.page_digest(offered)
    again = device.find_pending(pending.user_code)
    assert again.page_digest(offered) == pending.page_digest(offered)
    for others in ([], [choice_of(account)], [*offered, choice_of(latchkey.account(), "read")]):
        assert pending.page_digest(others) != pending.page_digest(offered)


def test_approval_creates_a_grant_of_the_chosen_account(latchkey: TestApp, app: App) -> None:
    """An approval grants the scopes that the user's role allows, records an event, and keeps the device code as long as
    the grant.
    """
    account = latchkey.account()
    response = start(app, scopes={"read", "write"}, resources={FILES})
    pending = device.find_pending(response["user_code"])
    latchkey.clock.forward(1)
    choice = choice_of(account, "write")
    with record_calls() as calls:
        device.approve(pending, choice)
    (grant,) = Grant.by_account.query(account.id)
    device_code = device_code_of(response)
    assert (grant.client_id, grant.scopes, grant.resources) == (app.id, {"write"}, {FILES})
    assert (device_code.decision, device_code.account_id, device_code.grant_id) == ("approved", account.id, grant.id)
    assert (grant.user_id, device_code.user_id) == (account.user_id, account.user_id)
    assert (device_code.scopes, device_code.member_since) == ({"write"}, START_MS)
    assert (device_code.granted_at, device_code.dies_at) == (START_MS + 1_000, grant.dies_at)
    about = {"grant": grant.id, "application": app.id, "scopes": "write", "name": "Photos"}
    assert recorded_events(account.id) == [(kinds.GRANT_CREATED, about)]
    puts = [write["Put"] for _, request in calls for write in request["TransactItems"] if "Put" in write]
    assert all("attribute_not_exists" in put.get("ConditionExpression", "") for put in puts)


def test_approval_keeps_a_self_registered_client(latchkey: TestApp, app: App) -> None:
    """Approval removes the time of deletion of a self-registered client; denial doesn't."""
    app.client.update(actions=[Client.dies_at.set(START_MS // 1000 + 9)])
    codes = [start(app)["user_code"] for _ in range(2)]
    account = latchkey.account()
    device.deny(device.find_pending(codes[0]), account.user_id)
    assert Client.get(app.id).dies_at == START_MS // 1000 + 9
    device.approve(device.find_pending(codes[1]), choice_of(account))
    assert "dies_at" not in Client.get(app.id).attribute_values


def test_denial_stores_user_and_time(latchkey: TestApp, app: App) -> None:
    """A denial creates no grant, records no event, and doesn't keep the code longer."""
    account = latchkey.account()
    response = start(app)
    device.deny(device.find_pending(response["user_code"]), account.user_id)
    device_code = device_code_of(response)
    assert (device_code.decision, device_code.user_id, device_code.granted_at) == ("denied", account.user_id, START_MS)
    assert device_code.dies_at == (START_MS + LIFETIME_MS) // 1000
    assert (list(Grant.scan()), recorded_events(account.id)) == ([], [])


def test_device_is_decided_once_and_before_it_expires(latchkey: TestApp, app: App) -> None:
    """The first of two concurrent decisions is final; an expired code can't be decided."""
    account = latchkey.account()
    pending, late = (device.find_pending(start(app)["user_code"]) for _ in range(2))
    device.deny(pending, account.user_id)
    with pytest.raises(errors.NotFound, match="already used or has expired"):
        device.approve(pending, choice_of(account))
    with pytest.raises(errors.NotFound, match="already used or has expired"):
        device.find_pending(pending.user_code)
    latchkey.clock.now_ms += LIFETIME_MS - 1
    assert device.find_pending(late.user_code)
    latchkey.clock.now_ms += 1
    with pytest.raises(errors.NotFound, match="already used or has expired"):
        device.approve(late, choice_of(account))
    with pytest.raises(errors.NotFound, match="already used or has expired"):
        device.deny(late, account.user_id)
    with pytest.raises(errors.NotFound, match="already used or has expired"):
        device.find_pending(late.user_code)
    assert list(Grant.scan()) == []


def test_device_of_a_deleted_client_is_not_found(latchkey: TestApp, app: App) -> None:
    """A device code counts as expired after its client is deleted."""
    code = start(app)["user_code"]
    delete_client.delete(app.client)
    with pytest.raises(errors.NotFound, match="already used or has expired"):
        device.find_pending(code)


def test_polling_too_fast_increases_the_interval_by_five_seconds(latchkey: TestApp, app: App) -> None:
    """RFC 8628 §3.5: each early poll increases the stored interval, and every poll restarts the wait."""
    response = start(app)
    too_fast = []
    for wait_ms in (0, 5_000, 4_999, 10_000, 9_999, 15_000):
        latchkey.clock.now_ms += wait_ms
        too_fast.append(device.polls_too_fast(device_code_of(response)))
        assert device_code_of(response).polled_at == latchkey.clock.now_ms
    assert too_fast == [False, False, True, False, True, False]
    assert device_code_of(response).interval_s == 15


def test_device_code_deleted_during_a_poll_is_not_recreated(latchkey: TestApp, app: App) -> None:
    """A poll doesn't recreate a deleted device code, because the incomplete item would never be deleted."""
    deleted = device_code_of(start(app))
    deleted.delete()
    assert device.polls_too_fast(deleted)
    assert OneTimeToken.found(deleted.digest) is None
    response = start(app)
    device_code = device_code_of(response)
    device.polls_too_fast(device_code)
    with run_after("UpdateItem", device_code.delete):
        assert device.polls_too_fast(device_code)
    assert OneTimeToken.found(device_code.digest) is None


def test_database_error_is_not_taken_for_a_fast_poll(latchkey: TestApp, app: App) -> None:
    """A database error during a poll is raised unchanged, and not as slow_down."""
    device_code = device_code_of(start(app))
    with fail_calls("UpdateItem", "tickets"), pytest.raises(UpdateError):
        device.polls_too_fast(device_code)
    assert interval_of(device_code) == 5


def interval_of(device_code: OneTimeToken) -> int:
    """Return the stored polling interval."""
    return OneTimeToken.get(device_code.digest).interval_s
