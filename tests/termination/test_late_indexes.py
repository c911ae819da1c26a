"""Deletions repeat their work a minute later for what the indexes don't show at first, also if the work is slow."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.credentials.tables import Credential
from chalicelib.events import kinds, record
from chalicelib.jobs import progress, steps
from chalicelib.jobs.progress import SETTLED_MS
from chalicelib.jobs.tables import Job
from chalicelib.oauth import delete_client
from chalicelib.oauth.tables import Client, Consent, Grant
from chalicelib.termination import account_deletion
from tests.oauth.flow import new_user, register_client
from tests.oauth.test_delete_client import store_grants
from tests.support.harness import TestApp
from tests.support.job_runs import run_jobs, stored_jobs


@contextmanager
def hide_from_indexes(*names: str) -> Iterator[None]:
    """Let queries of these indexes find nothing, as if the items had been written just now."""
    send = dynamodb.sender()

    def lagging(operation: str, request: dynamodb.Json) -> dynamodb.Json:
        if operation == "Query" and request.get("IndexName") in names and "-clients" not in request["TableName"]:
            return {"Items": [], "Count": 0, "ScannedCount": 0}
        return send(operation, request)

    with dynamodb.use_sender(lagging):
        yield


def repeat_after(latchkey: TestApp, ms: int) -> None:
    """Run the jobs after some time."""
    latchkey.clock.forward(ms / 1000)
    run_jobs()


def test_late_grants_and_consents_of_a_deleted_accounts_application_are_deleted(latchkey: TestApp) -> None:
    """If the indexes show them only after the first run, the grant and the consent are deleted with one event."""
    owner, ada = new_user(latchkey, "Owner"), new_user(latchkey)
    app = register_client(latchkey, owner=owner.account)
    ada.grant(app)
    with hide_from_indexes("by_client"):
        owner.delete_account()
        run_jobs()
    assert Client.found(app.id) is None
    assert (len(list(Grant.scan())), len(list(Consent.scan()))) == (1, 1)
    repeat_after(latchkey, SETTLED_MS)
    assert [*Grant.scan(), *Consent.scan(), *stored_jobs()] == []
    assert len(record.newest_first(ada.account.id, 9, kind=kinds.GRANT_REVOKED)) == 1


def test_application_that_the_index_still_shows_is_deleted_once(latchkey: TestApp) -> None:
    """The deletion of an account doesn't fail, and stores no second job, for an application that is already deleted."""
    owner = new_user(latchkey, "Owner")
    app = register_client(latchkey, owner=owner.account)
    owner.delete_account()
    account_deletion._delete_client(app.client, began_at=1)
    (ending,) = (job for job in stored_jobs() if job.kind == progress.OF_CLIENT)
    assert (ending.subject, ending.began_at) == (app.id, 1)
    account_deletion._delete_client(app.client, began_at=2)
    assert [job.began_at for job in stored_jobs() if job.kind == progress.OF_CLIENT] == [1]
    assert Client.found(app.id) is None


def run_slowly(latchkey: TestApp, kind: str) -> Job | None:
    """Run a batch of the job of a kind half a minute later; return the job if it remains."""
    latchkey.clock.forward(SETTLED_MS / 2 / 1000)
    (job,) = (each for each in stored_jobs() if each.kind == kind)
    batches = {progress.OF_ACCOUNT: account_deletion.finish, progress.OF_CLIENT: delete_client.finish_deletion}
    progress.save(job, is_finished=batches[kind](job))
    return Job.found(job.id)


def test_slow_deletion_of_an_account_repeats_its_first_steps(
    latchkey: TestApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the first pass takes over a minute, a key that the index showed too late is deleted by the next pass."""
    monkeypatch.setattr(steps, "DELETED_AT_ONCE", 1)
    owner = new_user(latchkey, "Owner")
    latchkey.member(owner.account, "viewer")
    latchkey.key(owner.account)
    owner.delete_account()
    with hide_from_indexes("by_account", "by_owner"):
        for _ in range(2):
            assert run_slowly(latchkey, progress.OF_ACCOUNT) is not None
    latchkey.clock.forward(SETTLED_MS / 1000)
    while stored_jobs():
        run_slowly(latchkey, progress.OF_ACCOUNT)
    assert list(Credential.scan()) == []


def test_slow_deletion_of_an_application_repeats_its_first_step(
    latchkey: TestApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the first pass takes over a minute, a grant that the index showed too late is deleted by the next pass."""
    monkeypatch.setattr(delete_client, "GRANTS_BATCH", 2)
    app = register_client(latchkey)
    store_grants(app.id, 3)
    delete_client.start_deletion(app.client)
    late, *_ = Grant.scan()
    late.delete()
    for _ in range(2):
        assert run_slowly(latchkey, progress.OF_CLIENT) is not None
    late.save()
    while stored_jobs():
        run_slowly(latchkey, progress.OF_CLIENT)
    assert [*Grant.scan(), *Consent.scan()] == []
