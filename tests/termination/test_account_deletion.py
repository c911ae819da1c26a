"""Deletion of an account's data. The request deletes a part and later runs delete the rest, even if a function is
killed.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.accounts import change, create, members, tables
from chalicelib.core import settings
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb import models
from chalicelib.core.dynamodb.errors import Unreachable
from chalicelib.events import kinds, record
from chalicelib.jobs import progress
from chalicelib.jobs.progress import SETTLED_MS
from chalicelib.limits import tiers
from chalicelib.oauth import clients, consent, delete_client, grants
from chalicelib.oauth.tables import Consent, Grant
from chalicelib.webhooks import endpoints, fan_out
from infra import data
from tests.oauth.flow import User, is_accepted, new_user, register_client
from tests.support.console_client import PASSWORD
from tests.support.harness import AccountOfTest, TestApp
from tests.support.job_runs import run_jobs, stored_jobs

NAME = "Ada Augusta Byron"
KEPT = {"events": 1, "tickets": 1}
"""The event of the deletion, and the item that passes on the hour's usage (see `quota_inheritance`)."""


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
        made = endpoints.create(
            ada.account.id, url=f"https://example.com/{hook}", name=hook, types=None, user_id=ada.account.user_id
        )
        change.rename(ada.account.id, NAME)
        fan_out.enqueue(record.since(ada.account.id, "evt_"))
    endpoints.delete(made)
    guest = new_user(latchkey, "Guest")
    _join(guest, ada.account)
    guest.account = AccountOfTest(members.find(tables.User.get(guest.account.user_id), ada.account.id))
    guest.cookies[guest.cookie_name("latchkey-account")] = ada.account.id
    consent.remember(guest.account.membership, register_client(latchkey).id, {"https://a.example  read"})
    ada.delete_account()
    latchkey.clock.forward(SETTLED_MS / 1000)
    return ada


def _join(user: User, account: AccountOfTest) -> None:
    with models.transaction() as write:
        members.add_to(write, members.new(account.id, user.account.user_id, "developer"), user.account.user)


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
    """Run the jobs."""
    run_jobs()


def count_kept(account_id: str) -> dict[str, int]:
    """Count the account's items by table, except the account item and its counters."""
    return {name: count for name, count in count_items(account_id).items() if name not in ("accounts", "windows")}


def test_deletion_leaves_only_the_account_item_its_counters_and_the_deletion_event(deleted: User) -> None:
    """No name, URI, key, grant, consent, membership or delivery is left, not even of a deleted webhook."""
    run_pending()
    assert count_kept(deleted.account.id) == KEPT
    assert [event.type for event in record.newest_first(deleted.account.id, 10)] == [kinds.ACCOUNT_DELETED]
    assert stored_jobs() == []


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
    assert count_kept(deleted.account.id) == KEPT
    assert stored_jobs() == []


def test_deletion_keeps_users_and_their_other_accounts(latchkey: TestApp) -> None:
    """Every member leaves the deleted account. Their sessions, and consents for other accounts, stay."""
    owner, guest, app = new_user(latchkey), new_user(latchkey, "Guest"), register_client(latchkey)
    _join(guest, owner.account)
    for account_id in (owner.account.id, guest.account.id):
        membership = members.find(tables.User.get(guest.account.user_id), account_id)
        consent.remember(membership, app.id, {"https://a.example  read"})
    consent.remember(owner.account.membership, app.id, {"https://a.example  read"})
    owner.delete_account()
    run_pending()
    for user in (owner, guest):
        assert owner.account.id not in (tables.User.get(user.account.user_id).account_ids or ())
        assert user.open("/settings/profile").status == 200
    assert list(tables.Member.query(owner.account.id)) == []
    assert [each.account_id for each in Consent.scan()] == [guest.account.id]
    assert tables.User.get(owner.account.user_id).account_ids is None


def test_next_account_inherits_the_usage_after_the_deletion_is_finished(latchkey: TestApp) -> None:
    """The hour's usage counts for the user's next account until the hour ends, also when all data is deleted."""
    ada = new_user(latchkey)
    assert latchkey.call("GET", "/v1/limits", latchkey.key(ada.account).secret).status == 200
    ada.delete_account()
    latchkey.clock.forward(SETTLED_MS / 1000)
    run_pending()
    assert stored_jobs() == []
    user = tables.User.get(ada.account.user_id)
    new = create.create_further_account(user, name="Again", tier=tiers.FREE)
    assert latchkey.counters(new.account.id)["used"] == 1


def test_deletion_revokes_grants_to_the_accounts_applications(latchkey: TestApp) -> None:
    """Tokens of the account's applications are invalid, and the accounts that consented get an event."""
    owner, ada = new_user(latchkey), new_user(latchkey, "User")
    app = register_client(latchkey, owner=owner.account)
    token, _ = ada.grant(app)
    owner.delete_account()
    assert not is_accepted(latchkey, token)
    run_pending()
    assert record.newest_first(ada.account.id, 1)[0].type == kinds.GRANT_REVOKED
    assert clients.find_any(app.id) is None


def test_application_that_was_deleted_before_its_account_ends_each_grant_once(latchkey: TestApp) -> None:
    """If an application and then its account are deleted, both jobs may find the same grant, and record one event."""
    owner, ada = new_user(latchkey), new_user(latchkey, "User")
    app = register_client(latchkey, owner=owner.account)
    ada.grant(app)
    (grant,) = grants.of_account(ada.account.id)
    delete_client.delete(app.client)
    run_pending()
    grant.save()  # as if the first job had stored the event, but not deleted the grant yet
    latchkey.clock.forward(1)
    owner.delete_account()
    run_pending()
    assert Grant.found(grant.id) is None
    told = record.newest_first(ada.account.id, 9, kind=kinds.GRANT_REVOKED)
    assert len(told) == 1


def test_deletion_in_the_request_is_bounded(latchkey: TestApp) -> None:
    """The request deletes no data; the job does."""
    ada = new_user(latchkey)
    app = register_client(latchkey)
    for _ in range(progress.BATCH + 1):
        grants.new(ada.account.id, ada.account.user_id, app.id, scopes={"read"}, resources=set()).save()
    ada.delete_account()
    assert count_items(ada.account.id)["grants"] == progress.BATCH + 1
    latchkey.clock.forward(SETTLED_MS / 1000)
    run_pending()
    assert count_kept(ada.account.id) == KEPT


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
    assert count_kept(ada.account.id) == KEPT
