"""If an account is suspended, its OAuth clients are deactivated and their users' principals invalidated."""

from collections.abc import Callable
from typing import Any

import pytest
from pynamodb.attributes import Attribute
from pynamodb.exceptions import TransactWriteError

from chalicelib.accounts import change, invalidation, owned_clients, states
from chalicelib.accounts.owned_clients import ClientGrant, OwnedClient
from chalicelib.accounts.tables import Account
from chalicelib.core import clock, errors, ids, telemetry
from chalicelib.core.dynamodb.models import Table
from chalicelib.jobs import progress
from chalicelib.jobs.tables import Job
from chalicelib.oauth import grants
from chalicelib.oauth.tables import Client, Grant
from tests.oauth.flow import register_client
from tests.support.harness import AccountOfTest, TestApp
from tests.support.interleaving import fail_calls, run_before


def owner_with(latchkey: TestApp, clients: int = 1) -> tuple[AccountOfTest, list[str]]:
    """Create an account with clients; return it and their ids, sorted."""
    owner = latchkey.account(name="Owner")
    return owner, sorted(register_client(latchkey, owner=owner).id for _ in range(clients))


def create_grants(client_id: str, number: int) -> list[Grant]:
    """Create this number of accounts that grant the client access, and return the grants, oldest first."""
    made = []
    for _ in range(number):
        grant = grants.new(ids.new("acc"), ids.new("usr"), client_id, scopes={"read"}, resources=set())
        grant.save()
        made.append(grant)
    return made


def set_status(account: AccountOfTest, status: str) -> None:
    """Suspend or reinstate an account."""
    change.set_tier_and_status(account.id, tier=None, status=status, actor="operator")


def suspended_at(client_ids: list[str]) -> list[int | None]:
    """Return the deactivation time of each client."""
    return [OwnedClient.get(each).owner_suspended_at for each in client_ids]


def termination_of(account: AccountOfTest) -> Job:
    """Return a pending termination of an account's clients that starts now."""
    return progress.new(progress.OF_OWNER, account.id)


def are_marked(create_grants: list[Grant]) -> list[bool]:
    """Return for each grant whether its account has an invalidation mark now."""
    return [invalidation.is_marked(each.account_id, clock.now_ms()) for each in create_grants]


def test_clients_have_the_status_of_their_account(latchkey: TestApp) -> None:
    """A suspension deactivates the account's clients, and stores the time of the suspension in each client. Clients of
    other accounts are unaffected.
    """
    owner, ids = owner_with(latchkey, 2)
    _, others = owner_with(latchkey)
    latchkey.clock.forward(1)
    set_status(owner, states.SUSPENDED)
    assert suspended_at([*ids, *others]) == [clock.now_ms(), clock.now_ms(), None]
    set_status(owner, states.ACTIVE)
    assert suspended_at(ids) == [None, None]


def test_deleted_client_is_not_among_the_accounts_clients(latchkey: TestApp) -> None:
    """A deleted client is neither listed for its account nor changed by a suspension."""
    owner, (deleted, left) = owner_with(latchkey, 2)
    OwnedClient(deleted).update(actions=[OwnedClient.deleted_at.set(clock.now_ms())])
    assert [each.client_id for each in owned_clients.of_account(owner.id)] == [left]
    set_status(owner, states.SUSPENDED)
    assert suspended_at([deleted, left]) == [None, clock.now_ms()]


def test_client_deleted_concurrently_is_not_recreated(latchkey: TestApp) -> None:
    """If a client is deleted during a suspension, the suspension is retried with the remaining clients."""
    owner, (deleted, left) = owner_with(latchkey, 2)
    with run_before("TransactWriteItems", OwnedClient(deleted).delete):
        set_status(owner, states.SUSPENDED)
    assert [each.client_id for each in OwnedClient.scan()] == [left]
    assert suspended_at([left]) == [clock.now_ms()]
    assert Account.get(owner.id).status == states.SUSPENDED


def delete_next_client(ids: list[str]) -> Callable[[], object]:
    """Return a function that deletes another client at each call."""
    left = iter(ids)
    return lambda: OwnedClient(next(left)).delete()


@pytest.mark.parametrize(("times", "is_done"), [(4, True), (5, False)])
def test_change_is_retried_five_times_if_clients_are_deleted(latchkey: TestApp, times: int, is_done: bool) -> None:
    """If clients are deleted during each of five attempts, a suspension raises Unavailable."""
    owner, ids = owner_with(latchkey, 6)
    with run_before("TransactWriteItems", delete_next_client(ids), times=times):
        if is_done:
            set_status(owner, states.SUSPENDED)
        else:
            with pytest.raises(errors.Unavailable):
                set_status(owner, states.SUSPENDED)
    assert Account.get(owner.id).status == (states.SUSPENDED if is_done else states.ACTIVE)


def test_failed_condition_of_the_account_is_raised_as_given(latchkey: TestApp) -> None:
    """If the account is missing, NotFound is raised without a retry; a database error is raised unchanged."""
    owner, _ = owner_with(latchkey)
    with fail_calls("TransactWriteItems"), pytest.raises(TransactWriteError):
        set_status(owner, states.SUSPENDED)
    owner.account.update(actions=[Account.listed.remove()])
    with telemetry.record_calls() as calls, pytest.raises(errors.NotFound):
        set_status(owner, states.SUSPENDED)
    assert [operation for operation, _ in calls.made].count("TransactWriteItems") == 1


def test_first_slice_marks_the_users_of_each_client(latchkey: TestApp) -> None:
    """The first run invalidates the cached principals of each client's users, except those who revoked their grants."""
    owner, ids = owner_with(latchkey, 2)
    of_both = [*create_grants(ids[0], 2), *create_grants(ids[1], 2)]
    of_both[1].update(actions=[Grant.revoked_at.set(1)])
    latchkey.clock.forward(1)
    assert owned_clients.finish(termination_of(owner)) is True
    assert are_marked(of_both) == [True, False, True, True]


@pytest.mark.parametrize(("number", "is_all"), [(49, True), (50, False)])
def test_slice_ends_after_50_users(latchkey: TestApp, number: int, is_all: bool) -> None:
    """A run ends after 50 users, and the next run processes none of them again."""
    owner, ids = owner_with(latchkey, 2)
    first = create_grants(ids[0], number)
    pending = termination_of(owner)
    assert owned_clients.finish(pending) is is_all
    assert are_marked(first) == [True] * number
    if not is_all:
        assert (pending.step, pending.after) == (ids[0], first[-1].id)
        latchkey.clock.forward(1)
        second = create_grants(ids[1], 1)
        assert owned_clients.finish(pending) is True
        assert are_marked([first[-1], *second]) == [False, True]
        assert (pending.step, pending.after) == (ids[1], second[-1].id)


def test_second_slice_continues_after_the_last_grant(latchkey: TestApp) -> None:
    """The second run continues after the last processed grant and doesn't read finished clients again."""
    owner, ids = owner_with(latchkey, 2)
    before, within = create_grants(ids[0], 1), create_grants(ids[1], 3)
    pending = termination_of(owner)
    pending.step, pending.after = ids[1], within[0].id
    latchkey.clock.forward(1)
    assert owned_clients.finish(pending) is True
    assert are_marked([*before, *within]) == [False, False, True, True]


def test_next_slice_sets_a_lost_mark(latchkey: TestApp) -> None:
    """If a run fails to set an invalidation mark, the next run starts at the same grant."""
    owner, (client_id,) = owner_with(latchkey)
    users = create_grants(client_id, 2)
    pending = termination_of(owner)
    with fail_calls("UpdateItem"):
        assert owned_clients.finish(pending) is False
    assert [pending.step, pending.after] == [client_id, None]
    assert owned_clients.finish(pending) is True
    assert are_marked(users) == [True, True]


@pytest.mark.parametrize("status", [states.SUSPENDED, states.ACTIVE])
def test_client_missing_in_the_index_is_deactivated_later(latchkey: TestApp, status: str) -> None:
    """A client that is missing in the index is deactivated later if its account is still suspended."""
    owner, (client_id,) = owner_with(latchkey)
    Account(owner.id).update(actions=[Account.status.set(status)])
    owned_clients.finish(termination_of(owner))
    assert suspended_at([client_id]) == [None if status == states.ACTIVE else clock.now_ms()]


def test_concurrent_reinstatement_keeps_missed_clients_active(latchkey: TestApp) -> None:
    """A client that was missing in the index stays active if its account is reinstated concurrently."""
    owner, (client_id,) = owner_with(latchkey)
    set_status(owner, states.SUSPENDED)
    OwnedClient(client_id).update(actions=[OwnedClient.owner_suspended_at.remove()])
    with run_before("TransactWriteItems", lambda: set_status(owner, states.ACTIVE)):
        owned_clients.finish(termination_of(owner))
    assert suspended_at([client_id]) == [None]


def test_clients_of_a_missing_account_are_not_changed(latchkey: TestApp) -> None:
    """The clients of a deleted account aren't changed, because the deletion handles them."""
    owner, (client_id,) = owner_with(latchkey)
    Account(owner.id).delete()
    assert owned_clients.finish(termination_of(owner)) is True
    assert suspended_at([client_id]) == [None]


def declared(attributes: dict[str, Attribute[Any]]) -> dict[str, tuple[object, ...]]:
    """Return the declaration of each attribute of a table or index."""
    return {name: (type(each), each.null, each.is_hash_key, each.is_range_key) for name, each in attributes.items()}


@pytest.mark.parametrize(("part", "whole"), [(OwnedClient, Client), (ClientGrant, Grant)])
def test_model_agrees_with_that_of_oauth(part: type[Table], whole: type[Table]) -> None:
    """The two models of the clients table have the same types, keys, indexes and optional attributes."""
    assert part.Meta.table_name == whole.Meta.table_name
    assert declared(part.get_attributes()).items() <= declared(whole.get_attributes()).items()
    for name, index in part._indexes.items():
        same = whole._indexes[name]
        assert declared(index.Meta.attributes) == declared(same.Meta.attributes)
        assert type(index.Meta.projection) is type(same.Meta.projection)
