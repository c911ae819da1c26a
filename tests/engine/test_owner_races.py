"""Concurrent changes of owners: an account always keeps exactly as many owners as it counts, and at least one.

Every caller has read the state on which it decides before any caller writes.
"""

from collections.abc import Callable
from functools import partial

import pytest

from chalicelib.accounts import create, managers, member_roles, members, roles, self_service
from chalicelib.accounts.tables import Account, Member, User
from chalicelib.core import errors
from chalicelib.core.dynamodb import models
from chalicelib.limits.tiers import FREE
from chalicelib.termination import member_removal
from tests.engine.console_races import TWENTY
from tests.engine.fault_proxy import is_transaction
from tests.engine.hold_calls import HoldingProxy, release_together, run_concurrently
from tests.support.console_client import CALLER, PASSWORD, new_account
from tests.support.harness import AccountOfTest, TestApp

Deed = Callable[[], str]


def outcome(deed: Callable[[], object]) -> str:
    """Run a change, and return "done" or the error."""
    try:
        deed()
    except errors.LatchkeyError as refused:
        return refused.error
    return "done"


def leave(member: AccountOfTest) -> str:
    """Have a member leave the account."""
    manager = managers.Manager(member.id, member.user_id, member.membership.role)
    return outcome(lambda: member_removal.remove(manager, member.user_id, member_removal.REVOKE))


def step_down(member: AccountOfTest) -> str:
    """Have a member make themselves a viewer."""
    return outcome(lambda: member_roles.change_role(member.membership.manager, member.user_id, roles.VIEWER))


def demote(manager: AccountOfTest, member: AccountOfTest) -> str:
    """Have a manager make another member a viewer."""
    return outcome(lambda: member_roles.change_role(manager.membership.manager, member.user_id, roles.VIEWER))


def transfer(owner: AccountOfTest, member: AccountOfTest) -> str:
    """Have an owner transfer the account to a member."""
    return outcome(lambda: member_roles.transfer_ownership(owner.membership.manager, member.user_id))


def delete(owner: AccountOfTest) -> str:
    """Have an owner delete the account."""
    return outcome(lambda: self_service.delete_account(owner.membership, caller=CALLER, password=PASSWORD))


def owners_of(account_id: str) -> list[str]:
    """Return the users who are owners, and check that the account counts them right."""
    account = Account.get(account_id, consistent_read=True)
    found = [each.user_id for each in Member.query(account_id, consistent_read=True) if each.role == roles.OWNER]
    assert account.owners == len(found)
    return found


@pytest.fixture
def two(latchkey: TestApp) -> tuple[AccountOfTest, AccountOfTest]:
    """The two owners of one account."""
    first = new_account()
    second = latchkey.member(first, roles.VIEWER, name="Olga")
    member_roles.change_role(first.membership.manager, second.user_id, roles.OWNER)
    return first, AccountOfTest(members.find(second.user, first.id))


@pytest.mark.parametrize("ways", [(leave, leave), (leave, step_down), (step_down, step_down)])
def test_of_two_owners_who_go_at_once_one_stays(
    two: tuple[AccountOfTest, AccountOfTest],
    proxy: HoldingProxy,
    ways: tuple[Callable[[AccountOfTest], str], Callable[[AccountOfTest], str]],
) -> None:
    """If both owners leave or step down at the same time, one succeeds and the other gets a conflict."""
    deeds = [partial(way, owner) for way, owner in zip(ways, two, strict=True)]
    assert sorted(release_together(proxy, is_transaction, deeds)) == ["conflict", "done"]
    assert len(owners_of(two[0].id)) == 1


def test_of_two_owners_who_demote_each_other_one_stays(
    two: tuple[AccountOfTest, AccountOfTest], proxy: HoldingProxy
) -> None:
    """If two owners demote each other at the same time, one of them remains owner."""
    first, second = two
    deeds = [partial(demote, first, second), partial(demote, second, first)]
    assert sorted(release_together(proxy, is_transaction, deeds)) == ["conflict", "done"]
    assert len(owners_of(first.id)) == 1


def test_owner_who_is_demoted_meanwhile_deletes_nothing(
    two: tuple[AccountOfTest, AccountOfTest], proxy: HoldingProxy
) -> None:
    """A deletion by one owner and the demotion of that owner by the other exclude each other."""
    first, second = two
    deeds: list[Deed] = [partial(delete, first), partial(demote, second, first)]
    deleted, demoted = release_together(proxy, is_transaction, deeds)
    assert sorted([deleted, demoted]) == ["conflict", "done"] or (deleted, demoted) == ("done", "not_found")
    assert (Account.get(first.id, consistent_read=True).status == "deleted") is (deleted == "done")


def test_owner_who_transfers_twice_at_once_does_it_once(latchkey: TestApp, proxy: HoldingProxy) -> None:
    """Of two concurrent transfers by one owner, one succeeds, and the account has one owner."""
    owner = new_account()
    new = [latchkey.member(owner, roles.VIEWER, name=name) for name in ("Grace", "Olga")]
    outcomes = release_together(proxy, is_transaction, [partial(transfer, owner, member) for member in new])
    assert sorted(outcomes) == ["conflict", "done"]
    assert owners_of(owner.id) == [new[outcomes.index("done")].user_id]


def test_transfer_to_a_member_who_leaves_at_once_keeps_an_owner(latchkey: TestApp, proxy: HoldingProxy) -> None:
    """A transfer and the departure of the new owner exclude each other."""
    owner = new_account()
    member = latchkey.member(owner, roles.VIEWER)
    outcomes = release_together(proxy, is_transaction, [partial(transfer, owner, member), partial(leave, member)])
    assert sorted(outcomes) == ["conflict", "done"]
    assert owners_of(owner.id) == [member.user_id if outcomes[0] == "done" else owner.user_id]


def test_of_seven_owners_who_leave_at_once_one_stays(latchkey: TestApp) -> None:
    """If all seven owners leave concurrently, at least one remains, and is counted."""
    first = new_account()
    owners = [first]
    for number in range(6):
        member = latchkey.member(first, roles.VIEWER, name=f"Owner{number}")
        member_roles.change_role(first.membership.manager, member.user_id, roles.OWNER)
        owners.append(AccountOfTest(members.find(member.user, first.id)))
    outcomes = run_concurrently([partial(leave, owner) for owner in owners])
    left = owners_of(first.id)
    assert len(left) == outcomes.count("conflict") >= 1
    assert outcomes.count("done") == len(owners) - len(left)


def test_further_accounts_created_concurrently_never_exceed_the_maximum(latchkey: TestApp) -> None:
    """If a user with 48 accounts creates 20 more concurrently, two are created."""
    owner = new_account()
    full = {f"acc_{number:020}" for number in range(members.ACCOUNTS_MAX - 3)}
    owner.user.update(actions=[User.account_ids.add(full)])
    deeds = [
        partial(outcome, partial(create.create_further_account, owner.user, name="More", tier=FREE))
        for _ in range(TWENTY)
    ]
    outcomes = run_concurrently(deeds)
    created = User.get(owner.user_id, consistent_read=True).account_ids or set()
    assert len(created) <= members.ACCOUNTS_MAX
    assert outcomes.count("done") == len(created) - len(full) - 1 == 2


def test_user_who_is_added_concurrently_is_a_member_once(latchkey: TestApp, proxy: HoldingProxy) -> None:
    """Of several concurrent additions of one user, one succeeds, and its role counts."""
    owner, grace = new_account(), new_account(name="Grace")

    def add(role: str) -> None:
        with models.raise_on_condition_failure(errors.Conflict("again")), models.transaction() as write:
            members.add_to(write, members.new(owner.id, grace.user_id, role), grace.user)

    given = [roles.ADMIN, roles.DEVELOPER, roles.VIEWER]
    outcomes = release_together(proxy, is_transaction, [partial(outcome, partial(add, role)) for role in given])
    assert sorted(outcomes) == ["conflict", "conflict", "done"]
    assert Member.get(owner.id, grace.user_id).role == given[outcomes.index("done")]
