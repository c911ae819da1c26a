"""The end of a client is recorded right after the transaction that decides it, and otherwise by the follow-up work."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from chalicelib.accounts import change, states
from chalicelib.accounts.tables import Account
from chalicelib.core import clock, errors, ids
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import DynamoDBError
from chalicelib.jobs import progress
from chalicelib.jobs.progress import SETTLED_MS
from chalicelib.limits import ended_clients
from chalicelib.oauth import delete_any_client, delete_client, grants
from chalicelib.oauth.tables import Client
from chalicelib.termination import finish
from tests.oauth.flow import CALLBACK, PKCE, App, User, as_json, new_user, register_client
from tests.support.console_client import PASSWORD
from tests.support.harness import TestApp
from tests.support.interleaving import record_calls
from tests.support.job_runs import run_jobs, stored_jobs


@contextmanager
def fail_records() -> Iterator[None]:
    """Make every write of the ended clients fail, but no invalidation mark."""
    send = dynamodb.sender()

    def failing(operation: str, request: dynamodb.Json) -> dynamodb.Json:
        if operation == "UpdateItem" and request["Key"] == ended_clients.KEY:
            raise DynamoDBError("AccessDeniedException", "not today", {})
        return send(operation, request)

    with dynamodb.use_sender(failing):
        yield


def ended_at(app: App) -> int:
    """Return when the client ended as all processes see it, or 0."""
    return ended_clients.read().ended_at_ms(app.id)


def registered_dynamically(latchkey: TestApp) -> tuple[App, str]:
    """Register a client dynamically; return it and its registration access token."""
    asked = {"redirect_uris": [CALLBACK], "grant_types": ["authorization_code"]}
    body = as_json(latchkey, "/oauth/register", asked).json()
    app = App(latchkey, Client.get(body["client_id"]), body["client_secret"], CALLBACK, PKCE)
    return app, body["registration_access_token"]


def unregister(latchkey: TestApp, app: App, token: str) -> int:
    """Delete a dynamically registered client; return the status."""
    return latchkey.call("DELETE", f"/oauth/register/{app.id}", token).status


def suspend(account: Account) -> None:
    """Suspend an account."""
    change.set_tier_and_status(account.id, tier=None, status=states.SUSPENDED, actor="operator")


def _suspend(owner: User, _app: App) -> None:
    suspend(owner.account.account)


def _delete(_owner: User, app: App) -> None:
    delete_client.delete(app.client)


def _delete_any(_owner: User, app: App) -> None:
    delete_any_client.delete(app.id, actor="operator")


def _delete_account(owner: User, _app: App) -> None:
    owner.delete_account()


End = Callable[[User, App], None]
ENDS = pytest.mark.parametrize(
    "end", [_suspend, _delete, _delete_any, _delete_account], ids=["suspended", "deleted", "any_deleted", "account"]
)


@ENDS
def test_end_is_recorded_once_right_after_its_transaction(latchkey: TestApp, end: End) -> None:
    """The first write after the transaction that ends a client, except the marks of its account, records the end."""
    owner = new_user(latchkey, "Owner")
    app = register_client(latchkey, owner=owner.account)
    grants.new(latchkey.account().id, ids.new("usr"), app.id, scopes={"read"}, resources=set()).save()
    with record_calls() as calls:
        end(owner, app)
    assert ended_at(app) == clock.now_ms()
    records = [at for at, (operation, request) in enumerate(calls) if _is_record(operation, request)]
    first_revocation = [at for at, (operation, _) in enumerate(calls) if operation == "TransactWriteItems"][1:]
    assert len(records) == 1
    assert records < first_revocation or not first_revocation


def _is_record(operation: str, request: dynamodb.Json) -> bool:
    return operation == "UpdateItem" and request["Key"] == ended_clients.KEY


@pytest.mark.parametrize("end", [_suspend, _delete, _delete_any], ids=["suspended", "deleted", "any_deleted"])
def test_unrecorded_end_is_unavailable_and_repeatable(latchkey: TestApp, end: End) -> None:
    """If the end can't be recorded, the change is stored and the caller gets Unavailable; repeating it records the
    end.
    """
    owner = new_user(latchkey, "Owner")
    app = register_client(latchkey, owner=owner.account)
    with fail_records(), pytest.raises(errors.Unavailable, match="up to 5 more minutes"):
        end(owner, app)
    assert not Client.get(app.id).is_active
    assert ended_at(app) == 0
    latchkey.clock.forward(1)
    end(owner, app)
    assert ended_at(app) == clock.now_ms()


def test_unrecorded_end_of_a_deleted_accounts_clients_is_shown(latchkey: TestApp) -> None:
    """If the ends of a deleted account's clients can't be recorded, the page says so with a 503."""
    owner = new_user(latchkey, "Owner")
    app = register_client(latchkey, owner=owner.account)
    page = owner.open("/settings/account")
    fields = owner.fill(page, "/settings/account/delete", {"password": PASSWORD})
    with fail_records():
        response = owner.send("/settings/account/delete", fields)
    assert response.status == 503
    assert "tokens of its applications may be accepted for up to 5 more minutes" in response.text
    assert not Client.get(app.id).is_active


@pytest.mark.parametrize("end", [_suspend, _delete], ids=["suspended", "deleted"])
def test_follow_up_work_records_a_missing_end(latchkey: TestApp, end: End) -> None:
    """If the function that ended a client was killed before it recorded the end, the function of every minute records
    it, and records no other end later.
    """
    owner = new_user(latchkey, "Owner")
    app = register_client(latchkey, owner=owner.account)
    for _ in range(progress.BATCH * 2 + 1):
        grants.new(latchkey.account().id, ids.new("usr"), app.id, scopes={"read"}, resources=set()).save()
    with fail_records(), pytest.raises(errors.Unavailable):
        end(owner, app)
    latchkey.clock.forward(SETTLED_MS / 1000)
    run_jobs()
    recorded_at_ms = clock.now_ms()
    assert ended_at(app) == recorded_at_ms
    latchkey.clock.forward(1)
    run_jobs()
    assert ended_at(app) == recorded_at_ms


def test_follow_up_work_of_a_deleted_account_records_missing_ends(latchkey: TestApp) -> None:
    """The work that deletes an account's data records the ends of its clients if they are missing."""
    owner = new_user(latchkey, "Owner")
    app = register_client(latchkey, owner=owner.account)
    Account(owner.account.id).update(actions=[Account.status.set(states.DELETED)])
    job = progress.new(progress.OF_ACCOUNT, owner.account.id)
    job.save()
    assert finish.run_first_batch(job)
    assert ended_at(app) == clock.now_ms()


def test_client_that_was_missing_in_the_index_is_recorded(latchkey: TestApp) -> None:
    """A client that a suspension missed is recorded when the next run deactivates it."""
    app = register_client(latchkey)
    suspend(Account.get(str(app.client.account_id)))
    Client(app.id).update(actions=[Client.owner_suspended_at.remove()])
    latchkey.clock.forward(SETTLED_MS / 1000)
    (job,) = stored_jobs()
    ended_clients_before = ended_clients.read()
    assert ended_clients_before.ended_at_ms(app.id) == job.began_at
    dynamodb.call("DeleteItem", {"TableName": "latchkey-test-windows", "Key": ended_clients.KEY})
    run_jobs()
    assert ended_at(app) == clock.now_ms()


def test_reinstatement_records_nothing(latchkey: TestApp) -> None:
    """A reinstatement ends no client, so it records nothing."""
    app = register_client(latchkey)
    owner = Account.get(str(app.client.account_id))
    suspend(owner)
    latchkey.clock.forward(1)
    change.set_tier_and_status(owner.id, tier=None, status=states.ACTIVE, actor="operator")
    assert ended_at(app) == clock.now_ms() - 1_000


def test_client_that_no_account_approved_is_not_recorded(latchkey: TestApp) -> None:
    """Anybody can register a client and delete it. As long as no account approved it, it has no tokens, and deleting
    it writes nothing into the item of the ended clients.
    """
    app, token = registered_dynamically(latchkey)
    assert unregister(latchkey, app, token) == 204
    assert ended_at(app) == 0
    app, token = registered_dynamically(latchkey)
    new_user(latchkey).tokens(app)
    assert unregister(latchkey, app, token) == 204
    assert ended_at(app) == clock.now_ms()


def test_repeated_deletion_records_one_end(latchkey: TestApp) -> None:
    """Repeating a deletion adds no end, so that a caller can't fill the item by repeating it."""
    app = register_client(latchkey)
    for _ in range(3):
        delete_client.delete(app.client)
        latchkey.clock.forward(1)
    assert ended_at(app) == clock.now_ms() - 3_000


def test_unrecorded_end_stops_no_other_deletion(latchkey: TestApp) -> None:
    """If ends can't be recorded, all clients of a selection are deleted nevertheless."""
    owner = latchkey.account()
    apps = [register_client(latchkey, owner=owner) for _ in range(delete_client.IMMEDIATE_MAX + 1)]
    with fail_records():
        delete_client.delete_all([app.client for app in apps])
    assert [app.id for app in apps if Client.get(app.id).deleted_at is None] == []
