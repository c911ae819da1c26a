"""Events of accounts and events of users are kept apart: no account sees what its users do elsewhere."""

import json

import pytest

from chalicelib.accounts import change, roles, self_service, sessions
from chalicelib.core.dynamodb import models
from chalicelib.events import actors, kinds, notable, record
from chalicelib.events.tables import Event
from chalicelib.webhooks import endpoints, fan_out
from chalicelib.webhooks.tables import Delivery
from tests.support.console_client import CALLER, PASSWORD, log_in_as, new_account
from tests.support.harness import TestApp

USER_KINDS = [kind for kind in kinds.LABELS if kinds.is_of_user(kind)]
ACCOUNT, USER = "acc_00000000000000000001", "usr_00000000000000000001"


def types_of(subject_id: str) -> list[str]:
    """Return the types of the events of an account or a user, oldest first."""
    return [event.type for event in record.since(subject_id, "evt_")]


@pytest.mark.made_up_events
@pytest.mark.parametrize("kind", kinds.LABELS)
def test_event_is_recorded_only_under_a_subject_of_its_kind(latchkey: TestApp, kind: str) -> None:
    """A user's event under an account, or an account's event under a user, is a ValueError, and nothing is stored."""
    right, wrong = (USER, ACCOUNT) if kind in USER_KINDS else (ACCOUNT, USER)
    with pytest.raises(ValueError, match=f"{kind} is not an event type of {wrong}"), models.transaction() as write:
        record.add_to(write, wrong, kind, {})
    with pytest.raises(ValueError, match="is not an event type"), models.transaction() as write:
        record.add_to(write, right, "key.eaten", {})
    assert Event.count() == 0
    with models.transaction() as write:
        record.add_to(write, right, kind, {})
    assert types_of(right) == [kind]


@pytest.mark.parametrize(("subject_id", "kind"), [(USER, kinds.QUOTA_SPENT), (ACCOUNT, kinds.LOGGED_IN)])
def test_observation_is_recorded_only_under_a_subject_of_its_kind(
    latchkey: TestApp, subject_id: str, kind: str
) -> None:
    """An observation is checked like any other event."""
    with pytest.raises(ValueError, match="is not an event type of"):
        notable.record_once(subject_id, kind, "1", {})
    assert Event.count() == 0


def test_types_that_an_account_can_select_are_its_own() -> None:
    """The groups of the console, the API and the webhooks contain every type of an account, and none of a user."""
    grouped = {kind for group in kinds.by_subject().values() for kind in group}
    assert grouped == set(kinds.OF_ACCOUNT) == set(kinds.LABELS) - set(USER_KINDS)
    assert {kind.partition(".")[0] for kind in USER_KINDS} == {"user", "session"}


def test_what_users_do_is_recorded_for_them(latchkey: TestApp) -> None:
    """Log-ins and changes of a user are events of the user; keys and the account's name are events of the account."""
    account = new_account()
    secret = sessions.open_session(account.user)
    change.rename_user(account.user_id, "Ada B")
    change.rename(account.id, "Engines Ltd")
    login = sessions.session_of(secret)
    assert login is not None
    self_service.change_password(
        login, caller=CALLER, password=PASSWORD, new_password="harmonica wolverine custard", base_url="https://x.test"
    )
    change.set_admin(account.user_id, True)
    sessions.end_all(account.user_id)
    latchkey.key(account)
    assert types_of(account.user_id) == [
        *("user.created", "session.opened", "user.renamed", "user.password_changed", "user.admin_changed"),
        "session.all_ended",
    ]
    assert types_of(account.id) == ["account.created", "account.renamed", "key.created"]


def test_no_member_sees_the_events_of_a_colleague(latchkey: TestApp) -> None:
    """The API and the Activity of an account show no user's events, not even those of its own members."""
    owner = new_account()
    member = latchkey.member(owner, roles.DEVELOPER)
    change.rename_user(member.user_id, "Grace H")
    sessions.open_session(member.user)
    secret = latchkey.key(owner, "events", "read").secret
    shown = latchkey.call("GET", "/v1/events?limit=100", secret).json()["data"]
    assert {each["type"] for each in shown} <= set(kinds.OF_ACCOUNT)
    page = log_in_as(latchkey, owner).open("/settings/activity")
    for hidden in ("Grace H", "Logged in", member.user_id):
        assert hidden not in page.text
    for kind in USER_KINDS:
        assert latchkey.call("GET", f"/v1/events?type={kind}", secret).status == 400


@pytest.mark.made_up_events
def test_webhooks_never_receive_a_users_events(latchkey: TestApp) -> None:
    """A webhook for all types receives none of its users' events, also if a user's id is taken for an account's."""
    account = latchkey.account()
    latchkey.clock.forward(2)
    endpoints.create(account.id, url="https://example.com/hooks", name="All", types=None)
    latchkey.clock.forward(1)
    for kind in USER_KINDS:
        with models.transaction() as write:
            record.add_to(write, account.user_id, kind, {})
    change.rename(account.id, "Ada B")
    queued = fan_out.enqueue([*record.since(account.user_id, "evt_"), *record.since(account.id, "evt_")])
    assert [delivery.type for _, delivery in queued] == ["account.renamed"]
    assert {each.type for each in Delivery.scan()} == {"account.renamed"}


@pytest.mark.parametrize("kind", USER_KINDS)
def test_endpoint_cannot_subscribe_to_a_users_events(latchkey: TestApp, kind: str) -> None:
    """A webhook that names a type of a user is refused."""
    secret = latchkey.key(latchkey.account(), "webhooks").secret
    hook = {"url": "https://example.com/hooks", "name": "Spy", "types": [kind]}
    assert latchkey.call("POST", "/v1/webhooks", secret, json_body=hook).status == 400


def test_event_names_the_user_who_acted(latchkey: TestApp) -> None:
    """An account's event contains the id of the member who acted, unless it was an administrator or the operator."""
    owner = latchkey.account()
    member = latchkey.member(owner, roles.ADMIN)
    secret = latchkey.key(member).secret
    made = latchkey.call("POST", "/v1/keys", secret, json_body={"name": "CI", "scopes": ["read"]}).json()
    change.rename(owner.id, "Engines Ltd")
    shown = latchkey.call("GET", "/v1/events", latchkey.key(owner, "events").secret).json()["data"]
    by_kind = {(each["type"], json.dumps(each["changed"].get("key"))): each for each in shown}
    own = by_kind["key.created", json.dumps(made["id"])]
    assert (own["user_id"], own["source_ip"]) == (member.user_id, "203.0.113.7")
    renamed = by_kind["account.renamed", "null"]
    assert (renamed["actor"], renamed["user_id"]) == (actors.OPERATOR, None)
