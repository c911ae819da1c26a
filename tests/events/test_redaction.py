"""An account sees that an administrator or the operator acted, but not who, from which address or why."""

import json
from typing import Any

import pytest

from chalicelib.accounts import change
from chalicelib.accounts.members import find
from chalicelib.accounts.tables import User
from chalicelib.core import clock, ids
from chalicelib.core.dynamodb import models
from chalicelib.events import actors, kinds, record
from chalicelib.events.tables import Event
from chalicelib.limits import tiers
from chalicelib.oauth import clients, grants
from chalicelib.webhooks import deliver, endpoints, fan_out
from tests.oauth.flow import new_user
from tests.support.console_client import ConsoleClient, log_in_as, new_account
from tests.support.harness import AccountOfTest, TestApp
from tests.support.job_runs import run_jobs
from tests.support.webhook_receiver import PUBLIC_URL, Receiver
from tests.webhooks.told import streamed

REASON = "Chargeback, says Eve of Acme; card ends 4242"
ADMINS_IP = "192.0.2.99"


def administrator(latchkey: TestApp) -> ConsoleClient:
    """Return an administrator's browser, which has an address of its own."""
    console = log_in_as(latchkey, new_account(name="Root", admin=True))
    console.ip = ADMINS_IP
    return console


def suspend_and_reinstate(admin: ConsoleClient, account_id: str) -> None:
    """Suspend and reinstate an account as an administrator does in the console."""
    path = f"/admin/accounts/{account_id}"
    for action in ("suspend", "reinstate"):
        assert admin.submit(f"{path}/{action}", on=path, reason=REASON).status == 303
        admin.latchkey.clock.forward(1)


def events_of(latchkey: TestApp, secret: str, kind: str = kinds.STANDING_CHANGED) -> list[dict[str, Any]]:
    """Return the events that GET /v1/events returns for a key of the account."""
    events: list[dict[str, Any]] = latchkey.call("GET", f"/v1/events?type={kind}", secret).json()["data"]
    return events


def test_activity_page_hides_reason_and_address_of_administrator(latchkey: TestApp) -> None:
    """The Activity page shows the role of an administrator without identity, address or reason."""
    account = new_account()
    admin = administrator(latchkey)
    suspend_and_reinstate(admin, account.id)
    page = log_in_as(latchkey, account).open("/settings/activity")
    assert ["Tier or status changed", "status: suspended"] in [row[:2] for row in page.rows]
    assert {row[3] for row in page.rows if row[0] == "Tier or status changed"} == {"An administrator"}
    for secret in (REASON, ADMINS_IP, "Root", "acc_"):
        assert secret not in page.text


def test_api_hides_id_reason_and_address_of_administrator(latchkey: TestApp) -> None:
    """GET /v1/events returns the role `admin` without address and reason."""
    account = new_account()
    secret = latchkey.key(account, "events").secret
    suspend_and_reinstate(administrator(latchkey), account.id)
    shown_events = events_of(latchkey, secret)
    assert len(shown_events) == 2
    assert {(event["actor"], event["source_ip"], event["reason"]) for event in shown_events} == {("admin", None, None)}


def test_event_from_earlier_version_is_redacted_on_read(latchkey: TestApp) -> None:
    """Events that an earlier version stored with id, address and reason of an administrator are redacted when read."""
    account = new_account()
    secret = latchkey.key(account, "events").secret
    stored = Event(account.id, ids.new("evt"), type=kinds.STANDING_CHANGED, at=clock.now_ms(), actor="key_of_admin")
    stored.source_ip, stored.reason, stored.dies_at = ADMINS_IP, REASON, clock.now_s() + 3_600
    stored.save()
    (event,) = events_of(latchkey, secret)
    assert (event["actor"], event["source_ip"], event["reason"]) == ("admin", None, None)


def test_created_account_does_not_see_key_of_administrator(latchkey: TestApp) -> None:
    """An account created by POST /v1/accounts sees neither the key that created it nor the address of that request."""
    root = latchkey.key(latchkey.account(admin=True, name="Root"), "admin")
    made = latchkey.call(
        "POST", "/v1/accounts", root.secret, json_body={"email": "n@example.com", "name": "N"}, ip=ADMINS_IP
    )
    latchkey.call("PATCH", f"/v1/accounts/{made.json()['id']}", root.secret, json_body={"tier": "pro"}, ip=ADMINS_IP)
    (event,) = Event.query(made.json()["id"], filter_condition=Event.type == kinds.ACCOUNT_CREATED)
    assert (event.actor, event.source_ip) == (root.key.id, ADMINS_IP)
    owner = find(User.get(made.json()["owner_id"]), made.json()["id"])
    secret = latchkey.key(AccountOfTest(owner), "events").secret
    shown_events = events_of(latchkey, secret, kinds.ACCOUNT_CREATED) + events_of(latchkey, secret)
    assert {(event["actor"], event["source_ip"]) for event in shown_events} == {("admin", None)}


def test_webhook_hides_id_reason_and_address_of_administrator(local: TestApp, receiver: Receiver) -> None:
    """The webhook payload equals the event in GET /v1/events."""
    account = new_account()
    endpoints.create(account.id, url=receiver.url, name="Ledger", types=[kinds.STANDING_CHANGED])
    change.set_tier_and_status(account.id, tier=tiers.PRO, status=None, actor="usr_root", reason=REASON)
    streamed(account)
    (message,) = receiver.received
    data = json.loads(message.body)["data"]
    assert (data["actor"], data["source_ip"], data["reason"]) == ("admin", None, None)


def test_delivery_from_earlier_version_is_redacted_when_shown_and_sent(local: TestApp, receiver: Receiver) -> None:
    """Console, API and a resend redact what an earlier version stored in the body of a delivery."""
    account = new_account()
    endpoint = endpoints.create(account.id, url=receiver.url, name="Ledger", types=[])
    data = {"type": kinds.STANDING_CHANGED, "actor": "usr_root", "source_ip": ADMINS_IP, "reason": REASON}
    body = json.dumps({"type": kinds.STANDING_CHANGED, "timestamp": clock.iso(clock.now_ms()), "data": data})
    delivery = fan_out.new_delivery(endpoint, ids.new("evt"), kinds.STANDING_CHANGED, body, due_at=clock.now_ms())
    delivery.save()
    page = log_in_as(local, account, PUBLIC_URL).open(f"/settings/webhooks/{endpoint.id}/deliveries/{delivery.id}")
    secret = local.key(account, "webhooks").secret
    response = local.call("GET", f"/v1/webhooks/{endpoint.id}/deliveries/{delivery.id}", secret)
    deliver.resend(endpoint, delivery.id)
    for text in (page.text, response.body.decode(), receiver.received[-1].body.decode()):
        assert "account.standing_changed" in text
        for kept in (REASON, ADMINS_IP, "usr_root"):
            assert kept not in text


def test_reason_of_operator_is_hidden(latchkey: TestApp) -> None:
    """A reason that the operator gives on the command line is visible to administrators only."""
    account = new_account()
    secret = latchkey.key(account, "events").secret
    change.set_tier_and_status(account.id, tier=tiers.PRO, status=None, actor="operator", reason=REASON)
    (event,) = events_of(latchkey, secret)
    assert (event["actor"], event["source_ip"], event["reason"]) == ("operator", None, None)
    assert REASON not in log_in_as(latchkey, account).open("/settings/activity").text


def test_deletion_of_client_hides_session_of_its_owner(latchkey: TestApp) -> None:
    """The events of revoked grants name the client, but not the session and address of the user who deleted it."""
    owner = new_user(latchkey, "Owner")
    owner.ip = ADMINS_IP
    owner.submit(
        "/settings/applications/new", name="P", kind="public", redirect_uris="https://p.example.com/", scopes=["read"]
    )
    path = next(url for url in owner.open("/settings/applications").urls if "/settings/applications/app_" in url)
    client = clients.find(path.rpartition("/")[2])
    assert client is not None
    user = new_account(name="User")
    grant = grants.new(user.id, user.user_id, client.client_id, scopes={"read"}, resources=set())
    grant.save()
    assert owner.submit(f"{path}/delete", on=path).status == 303
    run_jobs()
    (event,) = events_of(latchkey, latchkey.key(user, "events").secret, kinds.GRANT_REVOKED)
    assert (event["actor"], event["source_ip"]) == (client.client_id, None)


@pytest.mark.parametrize("who", ["page", "activity", "api"])
def test_administrators_see_actor_address_and_reason(latchkey: TestApp, who: str) -> None:
    """Administrators see actor, address and reason on admin pages, in their own Activity and with the scope `admin`."""
    admin = administrator(latchkey)
    account = new_account(name="Second", admin=True)
    suspend_and_reinstate(admin, account.id)
    if who == "api":
        event = events_of(latchkey, latchkey.key(account, "events", "admin").secret)[0]
        assert (event["actor"][:4], event["source_ip"], event["reason"]) == ("usr_", ADMINS_IP, REASON)
        return
    path = f"/admin/accounts/{account.id}" if who == "page" else "/settings/activity"
    text = (admin if who == "page" else log_in_as(latchkey, account)).open(path).text
    assert REASON in text
    assert ADMINS_IP in text


def test_own_action_is_shown_with_session_and_address(latchkey: TestApp) -> None:
    """The events of an action by the account itself include session and address."""
    account = new_account()
    console = log_in_as(latchkey, account)
    console.submit("/settings/account/name", on="/settings/account", name="Countess")
    (event,) = events_of(latchkey, latchkey.key(account, "events").secret, kinds.ACCOUNT_RENAMED)
    assert (event["actor"][:4], event["source_ip"]) == ("ses_", console.ip)


def record_every_type(account: AccountOfTest, who: str) -> None:
    """Record an event of every type as the operator or an administrator."""
    for kind in kinds.OF_ACCOUNT:
        acts = actors.act_as_administrator("usr_root", REASON) if who == "admin" else actors.act_as_operator(REASON)
        with actors.act_anonymously(ADMINS_IP), acts, models.transaction() as write:
            record.add_to(write, account.id, kind, {"application": "app_1"})


@pytest.mark.made_up_events
@pytest.mark.parametrize("who", ["operator", "admin"])
def test_every_event_type_hides_reason_of_operator_and_administrator(
    local: TestApp, receiver: Receiver, who: str
) -> None:
    """For every event type, API, Activity and webhooks hide who acted, from which address and why."""
    account = new_account()
    endpoints.create(account.id, url=receiver.url, name="Ledger", types=None)
    secret = local.key(account, "events").secret
    record_every_type(account, who)
    shown_events = {
        event["type"]: event for event in local.call("GET", "/v1/events?limit=100", secret).json()["data"][::-1]
    }
    assert set(shown_events) == set(kinds.OF_ACCOUNT)
    assert {(each["actor"], each["source_ip"], each["reason"]) for each in shown_events.values()} == {(who, None, None)}
    streamed(account)
    bodies = [json.loads(message.body)["data"] for message in receiver.received]
    assert {each["type"] for each in bodies} >= set(kinds.OF_ACCOUNT) - {kinds.WEBHOOK_CREATED}
    texts = [json.dumps(bodies), log_in_as(local, account, PUBLIC_URL).open("/settings/activity").text]
    for kept in (REASON, ADMINS_IP, "usr_root"):
        assert not [text for text in texts if kept in text]


@pytest.mark.parametrize("kind", kinds.LABELS)
@pytest.mark.parametrize("actor", [actors.OPERATOR, "usr_root", "key_of_admin"])
def test_every_event_type_from_earlier_version_is_redacted(latchkey: TestApp, kind: str, actor: str) -> None:
    """Reasons that an earlier version stored in events or deliveries are removed when they are read."""
    stored = Event("acc_ada", ids.new("evt"), type=kind, at=clock.now_ms(), actor=actor, changed={})
    stored.source_ip, stored.reason = ADMINS_IP, REASON
    shown = record.render(stored)
    assert shown == record.redacted(record.render_unredacted(stored))
    role = actors.OPERATOR if actor == actors.OPERATOR else actors.ADMIN
    assert (shown["actor"], shown["source_ip"], shown["reason"]) == (role, None, None)
