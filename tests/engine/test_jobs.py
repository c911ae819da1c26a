"""Jobs that are killed between any two calls, that several functions work on, and whose processes are killed."""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import count

import pytest

from chalicelib.accounts import change, invalidation, members, tables
from chalicelib.accounts.first_proof import FirstProof
from chalicelib.accounts.states import SUSPENDED
from chalicelib.core import clock, settings
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb import models
from chalicelib.credentials import find
from chalicelib.events import kinds, record
from chalicelib.jobs import progress, run
from chalicelib.jobs.tables import Job
from chalicelib.oauth import consent, delete_client, grants
from chalicelib.oauth.tables import Client, Consent, Grant
from chalicelib.termination import finish, password_reset
from chalicelib.webhooks import endpoints
from tests.engine import background_process
from tests.engine.hold_calls import run_concurrently
from tests.oauth.flow import App, User, new_user, register_client
from tests.support.harness import START_MS, AccountOfTest, TestApp, stage_key_file

USERS = 3
MANY_USERS = 300
KILLS = 6
ENDS_WITHIN_S = 60

World = tuple[str, Callable[[], bool]]
"""The subject of a job, and whether the job has done everything."""


class Killed(BaseException):
    """An exception that stops the code like a killed function."""


@contextmanager
def kill_at(number: int) -> Iterator[None]:
    """Kill the function right before its call with this number, counted from 0."""
    send, numbers = dynamodb.sender(), count()

    def until_killed(operation: str, request: dynamodb.Json) -> dynamodb.Json:
        if next(numbers) == number:
            raise Killed
        return send(operation, request)

    with dynamodb.use_sender(until_killed):
        yield


def give(app: App, users: int) -> list[Grant]:
    """Store grants and consents of some users for a client."""
    given = [
        grants.new(f"{app.id}_{number}", f"usr_{number}", app.id, scopes={"read"}, resources=set())
        for number in range(users)
    ]
    for grant in given:
        grant.save()
        key = consent.key_of(grant.user_id, grant.account_id, app.id)
        key.client_id, key.allowed, key.given_at = app.id, {"x  read"}, clock.now_ms()
        key.save()
    return given


def events_of(grant: Grant) -> int:
    """Count the events of a grant's end."""
    return len(record.newest_first(grant.account_id, 9, kind=kinds.GRANT_REVOKED))


def is_ended(app: App, given: list[Grant]) -> bool:
    """Return whether a client's grants and consents are deleted, with one event for each grant."""
    left = [*Grant.by_client.query(app.id), *Consent.by_client.query(app.id)]
    return not left and [events_of(grant) for grant in given] == [1] * len(given)


def delete_a_client(latchkey: TestApp) -> World:
    """Delete a client with some users."""
    app = register_client(latchkey)
    given = give(app, USERS)
    delete_client.delete(app.client)
    return app.id, lambda: is_ended(app, given)


def delete_an_account(latchkey: TestApp) -> World:
    """Delete an account with a member, a key, a webhook, a client with users, and access to another client."""
    owner = new_user(latchkey)
    member = latchkey.member(owner.account, "developer")
    latchkey.key(owner.account)
    owner.grant(register_client(latchkey))
    with settings.override(replace(settings.current(), stage_key_file=stage_key_file())):
        endpoints.create(owner.account.id, url="https://example.com/", name="Ledger", types=None)
    app = register_client(latchkey, owner=owner.account)
    given = give(app, USERS)
    owner.delete_account()

    def is_done() -> bool:
        types = [event.type for event in record.newest_first(owner.account.id, 9)]
        its_own = [*grants.of_account(owner.account.id), *endpoints.of_account(owner.account.id)]
        left = [*its_own, *find.keys_of(owner.account.id), *Client.by_account.query(owner.account.id)]
        left += list(tables.Member.query(owner.account.id))
        left += [each for each in Consent.scan() if each.account_id == owner.account.id]
        has_left = owner.account.id not in (tables.User.get(member.user_id).account_ids or ())
        return types == [kinds.ACCOUNT_DELETED] and not left and has_left and is_ended(app, given)

    return owner.account.id, is_done


def suspend_an_account(latchkey: TestApp) -> World:
    """Suspend an account with a client that has users."""
    app = register_client(latchkey)
    given = give(app, USERS)
    latchkey.clock.forward(1)
    since_ms = clock.now_ms()
    change.set_tier_and_status(str(app.client.account_id), tier=None, status=SUSPENDED, actor="operator")
    return str(app.client.account_id), lambda: all(invalidation.is_marked(each.account_id, since_ms) for each in given)


def _connected(latchkey: TestApp) -> tuple[User, App, Callable[[], bool]]:
    user, app = new_user(latchkey), register_client(latchkey)
    for _ in range(USERS):
        grants.new(user.account.id, user.account.user_id, app.id, scopes={"read"}, resources=set()).save()
    return user, app, lambda: not list(grants.of_account(user.account.id))


def withdraw_a_consent(latchkey: TestApp) -> World:
    """Disconnect an app with some grants; the request is killed before its first batch."""
    user, app, is_done = _connected(latchkey)
    progress.new_choice(progress.OF_CONSENT, user.account.user_id, {f"{user.account.id}#{app.id}"}, by="x").save()
    return user.account.user_id, is_done


def select_at_a_reset(latchkey: TestApp) -> World:
    """Select a key and the connected apps in a password reset; the request is killed before its first batch."""
    user, _, are_disconnected = _connected(latchkey)
    key = latchkey.key(user.account).key
    password_reset.new(user.account.user_id, {key.id, password_reset.CONNECTED}, by="x").save()

    def is_done() -> bool:
        return are_disconnected() and not any(each.is_live() for each in find.keys_of(key.account_id))

    return user.account.user_id, is_done


def verify_an_address(latchkey: TestApp) -> World:
    """Verify the address of a user with an own account, in which there are a key, a client and another member, and with
    a key and an invited member in another user's account. The request is killed before its first batch.
    """
    user, host = new_user(latchkey), latchkey.account()
    member = latchkey.member(user.account, "developer")
    app = register_client(latchkey, owner=user.account)
    given = give(app, USERS)
    latchkey.key(user.account)
    of_host = _join(user.account, host, invited_by=host)
    guest = _join(latchkey.account(), host, invited_by=user.account)
    kept, ended = latchkey.key(host).key, [latchkey.key(each).key for each in (of_host, guest)]
    latchkey.clock.forward(1)
    job, now_ms = progress.new(progress.OF_PROOF, user.account.user_id, waits=True), clock.now_ms()
    proof = FirstProof(job, [], [user.account.membership])
    with models.transaction() as write:
        write.update(tables.User(user.account.user_id), actions=[tables.User.credentials_since.set(now_ms)])
        proof.add_to(write)

    def is_done() -> bool:
        while (left := job_of(app.id)) is not None:  # the job of the client, which the first one has stored
            run_to_the_end(latchkey, left.subject)
        while (left := job_of(host.id)) is not None:  # the job of the invited member
            run_to_the_end(latchkey, left.subject)
        keys = [each.id for account in (user.account, host) for each in find.keys_of(account.id) if each.is_live()]
        present = [(each.account_id, each.user_id) for each in tables.Member.scan() if each.account_id != guest.id]
        gone = [(user.account.id, member.user_id), (host.id, guest.user_id)]
        assert {key.id for key in ended}.isdisjoint(keys)
        return keys == [kept.id] and set(gone).isdisjoint(present) and is_ended(app, given)

    return user.account.user_id, is_done


def _join(user: AccountOfTest, account: AccountOfTest, *, invited_by: AccountOfTest) -> AccountOfTest:
    member = members.new(account.id, user.user_id, "developer", invited_by=invited_by.user_id)
    with models.transaction() as write:
        members.add_to(write, member, user.user)
    return AccountOfTest(members.find(tables.User.get(user.user_id), account.id))


ALL: dict[str, Callable[[TestApp], World]] = {
    progress.OF_CLIENT: delete_a_client,
    progress.OF_ACCOUNT: delete_an_account,
    progress.OF_OWNER: suspend_an_account,
    progress.OF_CONSENT: withdraw_a_consent,
    progress.OF_PROOF: verify_an_address,
    progress.OF_RESET: select_at_a_reset,
}


def job_of(subject: str) -> Job | None:
    """Return the job with this subject."""
    return next(iter(Job.scan(Job.subject == subject, consistent_read=True)), None)


def run_to_the_end(latchkey: TestApp, subject: str) -> None:
    """Work on a job, restarted each minute as the function `minute` does, until it is deleted."""
    for _ in range(9):
        latchkey.clock.forward(60)
        while (job := job_of(subject)) is not None and not job.waits:
            version = job.version
            finish.work_on([job.serialize()])
            if (now := job_of(subject)) is not None and now.version == version:
                break
        if job is None:
            return
        progress.restart(job)
    raise AssertionError("the job doesn't end")


@pytest.mark.parametrize("kind", ALL)
def test_job_that_is_killed_between_any_two_calls_finishes(latchkey: TestApp, kind: str) -> None:
    """A function that is killed before any of its calls loses nothing: a later one finishes the job."""
    for number in count():
        subject, is_done = ALL[kind](latchkey)
        # The second run of the function; the first was within the request, or is the one that is killed.
        latchkey.clock.forward(60)
        job = job_of(subject)
        assert job is not None
        progress.restart(job)
        (job,) = [each for each in [job_of(subject)] if each]
        was_killed = False
        try:
            with kill_at(number):
                finish.work_on([job.serialize()])
        except Killed:
            was_killed = True
        run_to_the_end(latchkey, subject)
        assert is_done(), number
        assert job_of(subject) is None
        if not was_killed:
            assert number >= 4
            return


def test_functions_that_work_on_one_job_at_once_undo_nothing(latchkey: TestApp) -> None:
    """Eight functions that get the same record do the work once, and one of them saves its progress."""
    app = register_client(latchkey)
    given = give(app, 40)
    delete_client.delete(app.client)
    job = job_of(app.id)
    assert job is not None
    run_concurrently([partial(finish.work_on, [job.serialize()])] * 8)
    left = job_of(app.id)
    assert left is not None
    assert left.version == 2
    assert is_ended(app, given)


def test_job_that_is_stored_again_during_a_slice_starts_again(latchkey: TestApp) -> None:
    """A function whose job was stored again meanwhile, because the account was suspended again, doesn't end it."""
    app = register_client(latchkey)
    give(app, USERS)
    change.set_tier_and_status(str(app.client.account_id), tier=None, status=SUSPENDED, actor="operator")
    job = job_of(str(app.client.account_id))
    assert job is not None
    progress.restart(job)
    (job,) = [each for each in [job_of(job.subject)] if each]

    def again(_: Job, __: int) -> bool:
        latchkey.clock.forward(61)
        change.set_tier_and_status(str(app.client.account_id), tier=None, status=SUSPENDED, actor="operator")
        return True

    run.work_on([job.serialize()], {progress.OF_OWNER: again})
    (left,) = [each for each in [job_of(job.subject)] if each]
    assert left.began_at > job.began_at


def test_jobs_end_when_processes_are_killed(url: str, latchkey: TestApp) -> None:
    """Processes that are killed at random delete all grants of several clients, with one event each, within minutes."""
    apps = [register_client(latchkey) for _ in range(3)]
    given = {app.id: give(app, MANY_USERS) for app in apps}
    began, dice = time.monotonic(), random.Random(4711)  # noqa: S311 - fixed on purpose
    with clock.use_wall_clock(background_process.clock_from(START_MS, began)):
        for app in apps:
            delete_client.delete(app.client)
        for _ in range(KILLS):
            running = background_process.start(url, START_MS, began)
            time.sleep(0.4 + dice.random())
            running.kill()
            running.wait()
        running = background_process.start(url, START_MS, began)
        give_up = time.monotonic() + ENDS_WITHIN_S
        while any(job_of(app.id) for app in apps) and time.monotonic() < give_up:
            time.sleep(0.2)
        running.kill()
        running.wait()
        assert [job_of(app.id) for app in apps] == [None] * len(apps)
        assert [list(Grant.by_client.query(app.id)) for app in apps] == [[]] * len(apps)
        assert [list(Consent.by_client.query(app.id)) for app in apps] == [[]] * len(apps)
        assert Counter(events_of(grant) for app in apps for grant in given[app.id]) == {1: 3 * MANY_USERS}
