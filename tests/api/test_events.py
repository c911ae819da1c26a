"""GET /v1/events returns the history of the caller's account, written in the same transaction as each change."""

from typing import Any

import pytest

from chalicelib.accounts import change
from chalicelib.core import clock, settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb import models
from chalicelib.events import kinds, record
from chalicelib.events.tables import Event
from chalicelib.limits import tiers
from infra.local_gateway.response import Response
from tests.support.console_client import log_in_as, new_account
from tests.support.harness import AccountOfTest, TestApp
from tests.support.stored_items import documented

IP = "203.0.113.7"
SAID = {"public": "no", "acted": "narrowed", "because": "gone", "on_anomaly": "narrow"}
"""Valid values of fields that are enums."""


def list_events(latchkey: TestApp, secret: str, query: str = "") -> list[dict[str, Any]]:
    """Return the events on a page of GET /v1/events."""
    response = latchkey.call("GET", f"/v1/events{query}", secret)
    assert response.status == 200, response.body
    events: list[dict[str, Any]] = response.json()["data"]
    return events


def create_reader(latchkey: TestApp, account: AccountOfTest) -> str:
    """Return the secret of a key that may read events."""
    return latchkey.key(account, "events", "keys", "write", "read").secret


def created_object(response: Response) -> dict[str, Any]:
    """Return the object that a response with status 201 contains."""
    assert response.status == 201, response.body
    thing: dict[str, Any] = response.json()
    return thing


def test_every_change_of_a_key_is_an_event(latchkey: TestApp) -> None:
    """Each change of a key is an event with actor, source address and changed fields, newest first."""
    account = latchkey.account()
    latchkey.clock.forward(1)
    maker = latchkey.key(account, "events", "keys", "read")
    latchkey.clock.forward(1)
    key = created_object(
        latchkey.call("POST", "/v1/keys", maker.secret, json_body={"name": "CI", "scopes": ["read", "keys"]})
    )
    path = f"/v1/keys/{key['id']}"
    latchkey.clock.forward(1)
    latchkey.call("PATCH", path, maker.secret, json_body={"name": "Build", "scopes": ["read"]})
    latchkey.clock.forward(1)
    successor = created_object(latchkey.call("POST", f"{path}/rotate", maker.secret, json_body={"grace_s": 60}))
    latchkey.clock.forward(1)
    assert latchkey.call("DELETE", path, maker.secret).status == 204
    events = list_events(latchkey, maker.secret)
    assert [event["type"] for event in events[:1]] == [kinds.KEY_REVOKED]
    by_type = {event["type"]: event for event in events[:5]}
    assert by_type[kinds.KEY_CREATED]["changed"] == {"key": key["id"], "name": "CI", "scopes": "read keys"}
    assert by_type[kinds.KEY_RENAMED]["changed"] == {"key": key["id"], "name": "Build"}
    assert by_type[kinds.KEY_NARROWED]["changed"] == {"key": key["id"], "scopes": "read"}
    assert by_type[kinds.KEY_ROTATED]["changed"]["successor"] == successor["id"]
    assert by_type[kinds.KEY_REVOKED]["changed"] == {"key": key["id"], "name": "Build"}
    assert {(event["actor"], event["source_ip"]) for event in by_type.values()} == {(maker.key.id, IP)}
    assert by_type[kinds.KEY_REVOKED]["created_at"] == clock.iso(latchkey.clock.now_ms)
    assert [event["type"] for event in events[5:]] == [kinds.KEY_CREATED, kinds.ACCOUNT_CREATED]


def test_events_contain_no_secret(latchkey: TestApp) -> None:
    """No event contains a secret, because events are sent to webhooks."""
    account = latchkey.account()
    maker = latchkey.key(account, "events", "keys", "read")
    created_object(latchkey.call("POST", "/v1/keys", maker.secret, json_body={"name": "CI", "scopes": ["read"]}))
    text = latchkey.call("GET", "/v1/events", maker.secret).body
    assert [secret for secret in latchkey.secrets if secret in str(text)] == []


def test_rejected_change_is_no_event(latchkey: TestApp) -> None:
    """A rejected change writes no event."""
    account = latchkey.account()
    maker = latchkey.key(account, "events", "keys", "read")
    before = list_events(latchkey, maker.secret)
    assert (
        latchkey.call("PATCH", f"/v1/keys/{maker.key.id}", maker.secret, json_body={"scopes": ["write"]}).status == 400
    )
    assert list_events(latchkey, maker.secret) == before


def test_change_is_rolled_back_when_its_event_cannot_be_written(latchkey: TestApp) -> None:
    """If the event of a change can't be written, the change isn't made either."""
    account = latchkey.account()
    maker = latchkey.key(account, "keys", "read")
    dynamodb.call("DeleteTable", {"TableName": settings.current().table("events")})
    assert latchkey.call("PATCH", f"/v1/keys/{maker.key.id}", maker.secret, json_body={"name": "Other"}).status == 500
    assert latchkey.call("GET", f"/v1/keys/{maker.key.id}", maker.secret).json()["name"] == "Test key"


def test_list_is_paged_and_filtered_by_type(latchkey: TestApp) -> None:
    """The next page of a filtered list continues after the previous page, with the same type filter."""
    account = latchkey.account()
    secret = create_reader(latchkey, account)
    for number in range(5):
        latchkey.clock.forward(1)
        change.rename(account.id, f"Ada {number}")
        change.set_tier_and_status(account.id, tier=tiers.PRO, status=None, actor="acc_x", reason="because")
    seen, query = [], "?limit=2&type=account.renamed"
    while query:
        response = latchkey.call("GET", f"/v1/events{query}", secret)
        body = response.json()
        seen += [event["changed"]["name"] for event in body["data"]]
        query = "?" + str(response.header("Link")).split("?")[1].split(">")[0] if body["next_cursor"] else ""
    assert seen == [f"Ada {number}" for number in reversed(range(5))]
    (standing, *_) = list_events(latchkey, secret, "?type=account.standing_changed")
    assert (standing["actor"], standing["reason"], standing["changed"]) == ("admin", None, {"tier": "pro"})


def store_renames(account: AccountOfTest, times: int) -> None:
    """Store events of a renamed account that are newer than all others."""
    at, dies_at = clock.now_ms(), clock.now_s() + 86_400
    with Event.batch_write() as write:
        for number in range(times):
            name = f"evt_z{number:019d}"
            write.save(Event(account.id, name, type=kinds.ACCOUNT_RENAMED, at=at, actor="x", dies_at=dies_at))


@pytest.mark.made_up_events
def test_filter_by_type_makes_few_calls(latchkey: TestApp) -> None:
    """One event among 500 of another type is found by one query, for any page size."""
    account = latchkey.account()
    secret = create_reader(latchkey, account)
    change.set_tier_and_status(account.id, tier=tiers.PRO, status=None, actor="acc_x", reason="because")
    store_renames(account, 500)
    admin = log_in_as(latchkey, new_account(name="Root", admin=True))
    with telemetry.record_calls() as calls:
        assert len(list_events(latchkey, secret, "?type=account.standing_changed&limit=1")) == 1
        assert "Name changed" in admin.open(f"/admin/accounts/{account.id}").text
    assert [operation for operation, table in calls.made if table.endswith("events")] == ["Query", "Query"]


@pytest.mark.made_up_events
def test_filtered_page_may_be_empty_and_have_a_cursor(latchkey: TestApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """A filtered page may be empty and still contain a cursor; following the cursors returns every event once."""
    monkeypatch.setattr(record, "PAGE", 4)
    account = latchkey.account()
    secret = create_reader(latchkey, account)
    change.set_tier_and_status(account.id, tier=tiers.PRO, status=None, actor="acc_x", reason="because")
    store_renames(account, 50)
    sizes, query = [], "?type=account.standing_changed"
    while query:
        with telemetry.record_calls() as calls:
            body = latchkey.call("GET", f"/v1/events{query}", secret).json()
        assert calls.made.count(("Query", "latchkey-test-events")) <= record.PAGES
        sizes.append(len(body["data"]))
        query = f"?type=account.standing_changed&cursor={body['next_cursor']}" if body["next_cursor"] else ""
    assert sizes == [0, 0, 1]


@pytest.mark.parametrize("query", ["?type=key.made", "?type=", "?cursor=x", "?limit=0", "?limit=101", "?before=x"])
def test_invalid_query_is_rejected(latchkey: TestApp, query: str) -> None:
    """An invalid filter, cursor or limit is a 400."""
    response = latchkey.call("GET", f"/v1/events{query}", create_reader(latchkey, latchkey.account()))
    assert (response.status, response.json()["error"]) == (400, "invalid_request")


def test_events_need_the_scope_and_are_the_accounts_own(latchkey: TestApp) -> None:
    """GET /v1/events requires the scope `events` and returns only events of the caller's account."""
    ada, bob = latchkey.account(), latchkey.account(name="Bob")
    assert latchkey.call("GET", "/v1/events", latchkey.key(ada, "read", "keys").secret).status == 403
    latchkey.clock.forward(1)
    events_of_bob = list_events(latchkey, create_reader(latchkey, bob))
    assert [event["type"] for event in events_of_bob] == [kinds.KEY_CREATED, kinds.ACCOUNT_CREATED]
    assert {event["actor"] for event in events_of_bob} == {"operator"}


def test_events_expire_after_the_configured_days(latchkey: TestApp) -> None:
    """Expired events are hidden even before DynamoDB deletes them."""
    account = latchkey.account()
    assert len(record.newest_first(account.id, 10)) == 1
    latchkey.clock.forward(90 * 86_400)
    assert record.newest_first(account.id, 10) == []
    assert Event.count(account.id) == 1


def test_unknown_type_raises(latchkey: TestApp) -> None:
    """Recording an event of an undocumented type raises ValueError."""
    with pytest.raises(ValueError, match="is not an event type"):
        record.add_to(None, "acc_x", "key.forgotten", {})  # type: ignore[arg-type]  # not looked at


def test_console_shows_events_with_their_actor(latchkey: TestApp) -> None:
    """Settings > Activity shows event, details, actor and address."""
    ada = new_account()
    latchkey.clock.forward(1)
    console = log_in_as(latchkey, ada)
    latchkey.clock.forward(1)
    console.submit("/settings/account/name", on="/settings/account", name="Ada Lovelace")
    rows = console.open("/settings/activity").rows
    assert [row[:2] for row in rows[1:]] == [
        [kinds.LABELS[kinds.ACCOUNT_RENAMED], "renamed to Ada Lovelace"],
        ["Account created", "tier: Free"],
    ]
    assert rows[1][3:] == ["You (this browser)", console.ip]


def test_console_pages_through_older_events(latchkey: TestApp) -> None:
    """Settings > Activity shows fifty events a page, with a link to older ones."""
    ada = new_account()
    console = log_in_as(latchkey, ada)
    for number in range(60):
        change.rename(ada.id, f"Ada {number}")
        latchkey.clock.forward(1)
    first = console.open("/settings/activity")
    assert len(first.rows) == 1 + 50
    (older,) = [url for url in first.urls if "before=" in url]
    second = console.open(console.local(older))
    assert "Ada 9" in second.text
    assert len(second.rows) >= 1 + 10
    assert console.open("/settings/activity?before=rubbish").rows == first.rows


def test_every_type_is_documented() -> None:
    """The guide describes every event type: those of an account, then those of a user."""
    of_users = [kind for kind in kinds.LABELS if kinds.is_of_user(kind)]
    assert list(documented()) == [*kinds.OF_ACCOUNT, *of_users]


@pytest.mark.made_up_events
@pytest.mark.parametrize("kind", kinds.LABELS)
def test_console_shows_every_field_of_every_type(latchkey: TestApp, kind: str) -> None:
    """In the console, the row of an event depends on each of the event's fields, except the ids of sessions, grants and
    invitations. Events of users are on the page of their own activity.
    """
    ada = new_account()
    console = log_in_as(latchkey, ada)
    of_user = kinds.is_of_user(kind)
    path = "/settings/profile/activity" if of_user else "/settings/activity"

    def row(fields: dict[str, str]) -> list[str]:
        latchkey.clock.forward(1)
        with models.transaction() as write:
            record.add_to(write, ada.user_id if of_user else ada.id, kind, fields)
        return console.open(path).rows[1][:2]

    whole = {name: SAID.get(name, f"the-{name}") for name in documented()[kind]}
    # A leak has either a key or an access token.
    for other in ("key", "token") if whole.keys() >= {"key", "token"} else ("",):
        fields = {name: text for name, text in whole.items() if name != other}
        shown = [name for name in fields if name not in ("session", "grant", "invitation")]
        assert [name for name in shown if row(fields) == row({one: fields[one] for one in fields if one != name})] == []


def test_console_shows_source_and_response_of_a_leak(latchkey: TestApp) -> None:
    """The row of a leaked access token shows where it was found and how Latchkey responded."""
    ada = new_account()
    latchkey.clock.forward(1)
    with models.transaction() as write:
        fields = {"source": "commit", "url": "https://example.com/code", "public": "yes", "acted": "revoked"}
        record.add_to(write, ada.id, kinds.KEY_LEAKED, {"token": "tok_1", "name": "Calendar", **fields})
    latchkey.clock.forward(1)
    details = log_in_as(latchkey, ada).open("/settings/activity").rows[1][1]
    token, *rest = details.split(", ")
    assert token == "access token tok_1 of Calendar"
    assert rest == ["URL: https://example.com/code", "source: commit", "found in public", "revoked"]
