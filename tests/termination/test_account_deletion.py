"""Deletion of an account's data. The request deletes a part and later runs delete the rest, even if a function is
killed.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.accounts import change, email_links, pending_terminations, sessions
from chalicelib.accounts.pending_terminations import SETTLED_MS
from chalicelib.core import clock, settings
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import Unreachable
from chalicelib.events import kinds, record
from chalicelib.oauth import clients, grants
from chalicelib.termination import finish
from chalicelib.webhooks import endpoints, fan_out
from infra import data
from tests.oauth.flow import User, is_accepted, new_user, register_client
from tests.support.console_client import PASSWORD
from tests.support.harness import TestApp

LATER_MS = 60_000
NAME = "Ada Augusta Byron"


class Killed(BaseException):
    """An exception that stops the code like a killed function."""


@pytest.fixture
def deleted(latchkey: TestApp) -> User:
    """Return a deleted account that had one record of every type, a minute after the deletion."""
    ada = new_user(latchkey)
    latchkey.key(ada.account)
    ada.grant(register_client(latchkey))
    new_user(latchkey, "User").grant(register_client(latchkey, owner=ada.account))
    for hook in ("A", "B"):
        latchkey.clock.forward(1)
        made = endpoints.create(ada.account.id, url=f"https://example.com/{hook}", name=hook, types=None)
        change.rename(ada.account.id, NAME)
        fan_out.enqueue(record.since(ada.account.id, "evt_"))
    endpoints.delete(made)
    email_links.new_link(
        ada.account.id, email_links.CHANGE_EMAIL, email="byron@example.com", epoch=ada.account.session_epoch
    )
    sessions.remember_device(ada.account)
    ada.delete_account()
    latchkey.clock.forward(SETTLED_MS / 1000)
    return ada


def count_items(account_id: str) -> dict[str, int]:
    """Count the items that contain the account's id or name, by table."""
    found = {}
    for name in data.tables(settings.current().stage):
        items = dynamodb.call("Scan", {"TableName": name, "ConsistentRead": True})["Items"]
        named = [item for item in items if account_id in json.dumps(item) or "yron" in json.dumps(item)]
        if named:
            found[name.removeprefix(settings.current().table(""))] = len(named)
    return found


def run_pending() -> None:
    """Run the pending terminations."""
    finish.run_all_pending(clock.now_ms() + LATER_MS)


def count_kept(account_id: str) -> dict[str, int]:
    """Count the account's items by table, except the account item and its counters."""
    return {name: count for name, count in count_items(account_id).items() if name not in ("accounts", "windows")}


def test_deletion_leaves_only_the_account_item_its_counters_and_the_deletion_event(deleted: User) -> None:
    """No name, address, URI, key, grant, consent, session or delivery is left, not even of a deleted webhook."""
    run_pending()
    assert count_kept(deleted.account.id) == {"events": 1}
    assert [event.type for event in record.newest_first(deleted.account.id, 10)] == [kinds.ACCOUNT_DELETED]
    assert list(pending_terminations.all_pending()) == []


def test_killed_deletion_is_resumed(deleted: User) -> None:
    """If the function is killed after any database call, the next run finishes the deletion."""
    sender, calls = dynamodb.sender(), 0

    def until_killed(operation: str, request: dict[str, Any]) -> dict[str, Any]:
        nonlocal calls
        calls += 1
        if calls % 7 == 0:
            raise Killed
        return sender(operation, request)

    killed = 0
    with dynamodb.use_sender(until_killed):
        while killed < 200:
            try:
                run_pending()
                break
            except Killed:
                killed += 1
    assert killed > 5
    run_pending()
    assert count_kept(deleted.account.id) == {"events": 1}
    assert list(pending_terminations.all_pending()) == []


def test_deletion_revokes_grants_to_the_accounts_applications(latchkey: TestApp) -> None:
    """Tokens of the account's applications are invalid, and the accounts that consented get an event."""
    owner, ada = new_user(latchkey), new_user(latchkey, "User")
    app = register_client(latchkey, owner=owner.account)
    token, _ = ada.grant(app)
    owner.delete_account()
    assert not is_accepted(latchkey, token)
    assert record.newest_first(ada.account.id, 1)[0].type == kinds.GRANT_REVOKED
    assert clients.find_any(app.id) is None


def test_deletion_in_the_request_is_bounded(latchkey: TestApp) -> None:
    """The request deletes one batch of the data, and the function that runs every minute deletes the rest."""
    ada = new_user(latchkey)
    app = register_client(latchkey)
    for _ in range(pending_terminations.SLICE + 1):
        grants.new(ada.account.id, app.id, scopes={"read"}, resources=set()).save()
    ada.delete_account()
    assert count_items(ada.account.id)["grants"] > 0
    latchkey.clock.forward(SETTLED_MS / 1000)
    run_pending()
    assert count_kept(ada.account.id) == {"events": 1}


@pytest.fixture
def lost_marks(latchkey: TestApp) -> Iterator[None]:
    """Make every write of an invalidation mark fail."""
    sender = dynamodb.sender()

    def send(operation: str, request: dict[str, Any]) -> dict[str, Any]:
        if operation == "UpdateItem" and "stale_at" in request["UpdateExpression"].partition(",")[0]:
            raise Unreachable("Timeout", "no answer", {})
        return sender(operation, request)

    with dynamodb.use_sender(send):
        yield


def test_deletion_with_a_lost_mark_is_503_and_is_finished(latchkey: TestApp, lost_marks: None) -> None:
    """If the invalidation mark of a deletion can't be set, the error says that keys may be accepted for some minutes. A
    later run deletes all data.
    """
    ada = new_user(latchkey)
    page = ada.submit("/settings/account/delete", on="/settings/account", password=PASSWORD)
    assert page.status == 503
    assert "up to 5 more minutes" in page.text
    latchkey.clock.forward(SETTLED_MS / 1000)
    run_pending()
    assert count_kept(ada.account.id) == {"events": 1}
