"""The first verification of an address deletes everything that was created before it. If the function is killed, a
later run finishes.
"""

from typing import Any

import pytest

from chalicelib.accounts import create, email_links, invalidation, invitations, member_roles, members, roles, tables
from chalicelib.accounts.managers import Manager
from chalicelib.core import errors, ids
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb import models
from chalicelib.credentials import find
from chalicelib.events import kinds, record
from chalicelib.jobs import progress
from chalicelib.limits import tiers
from chalicelib.oauth import clients, delete_client, grants
from chalicelib.oauth.tables import Grant
from chalicelib.termination import finish, member_removal, password_reset
from chalicelib.webhooks import endpoints
from chalicelib.webhooks.tables import Endpoint
from tests.oauth.flow import User, new_user, register_client
from tests.support.console_client import ConsoleClient
from tests.support.harness import AccountOfTest, TestApp
from tests.support.job_runs import stored_jobs
from tests.termination.test_account_deletion import Killed, run_pending

PASSWORD = "harmonica wolverine custard"


@pytest.fixture
def squatter(latchkey: TestApp) -> User:
    """Return an account with an unverified address and one record of every type."""
    eve = new_user(latchkey, "Eve", verified=False)
    latchkey.key(eve.account)
    endpoints.create(eve.account.id, url="https://example.com/", name="Spy", types=None)
    register_client(latchkey, owner=eve.account)
    latchkey.clock.forward(1)
    return eve


def count_active(account_id: str) -> tuple[int, int, int]:
    """Count the active keys, webhooks and applications."""
    keys = [key for key in find.keys_of(account_id) if key.is_live()]
    hooks = list(Endpoint.query(account_id, Endpoint.id.startswith("whk_")))
    return len(keys), len(hooks), len(list(clients.list_of_account(account_id)))


def verify(latchkey: TestApp, owner: User) -> None:
    """Open the verification link in another browser and set a password there."""
    ticket = email_links.new_link(
        owner.account.user_id,
        email_links.VERIFY_EMAIL,
        email=owner.account.email,
        epoch=owner.account.user.session_epoch,
    )
    assert ConsoleClient(latchkey).submit(f"/verify?ticket={ticket}", password=PASSWORD).status == 303


def test_first_verification_deletes_everything_from_before_it(latchkey: TestApp, squatter: User) -> None:
    """The request that verifies an address deletes the keys, webhooks and applications that were created before."""
    assert count_active(squatter.account.id) == (1, 1, 1)
    verify(latchkey, squatter)
    assert count_active(squatter.account.id) == (0, 0, 0)


@pytest.mark.parametrize("after", range(0, 12, 3))
def test_killed_first_verification_is_finished_by_the_minutes_function(
    latchkey: TestApp, squatter: User, after: int
) -> None:
    """If the function is killed after its transaction, later runs delete the rest. A key that is created after the
    verification stays valid.
    """
    sender, calls = dynamodb.sender(), -1

    def until_killed(operation: str, request: dict[str, Any]) -> dict[str, Any]:
        nonlocal calls
        if calls == after:
            raise Killed
        response = sender(operation, request)
        is_proof = operation == "TransactWriteItems" and "credentials_since" in str(request)
        calls += is_proof or calls >= 0
        return response

    with dynamodb.use_sender(until_killed), pytest.raises(Killed):
        verify(latchkey, squatter)
    assert count_active(squatter.account.id) != (0, 0, 0)
    latchkey.clock.forward(30)
    own = latchkey.key(squatter.account)
    latchkey.clock.forward(30)
    run_pending()
    assert count_active(squatter.account.id) == (1, 0, 0)
    latchkey.clock.forward(60)
    run_pending()
    assert latchkey.call("GET", "/v1/users/me", own.secret).status == 200
    assert stored_jobs() == []


def test_first_verification_makes_the_user_the_only_owner_of_the_account(latchkey: TestApp, squatter: User) -> None:
    """Somebody else may have signed up with the address and joined the account as another owner. The verification ends
    this ownership.
    """
    thief = latchkey.member(squatter.account, roles.ADMIN)
    member_roles.change_role(manager_of(squatter.account), thief.user_id, roles.OWNER)
    thief = AccountOfTest(members.find(thief.user, thief.id))
    invitations.invite(
        manager_of(thief), email="eve@example.com", role=roles.OWNER, networks=("192.0.2.0/24",), base_url="https://x"
    )
    latchkey.clock.forward(1)
    verify(latchkey, squatter)
    account = tables.Account.get(squatter.account.id)
    (left,) = tables.Member.query(account.id)
    assert (left.user_id, left.role, account.owners) == (squatter.account.user_id, roles.OWNER, 1)
    assert account.id not in tables.User.get(thief.user_id).account_ids
    removed = record.newest_first(account.id, 1, kind=kinds.MEMBER_REMOVED)[0]
    assert removed.changed.as_dict() == {"user": thief.user_id, "role": roles.OWNER}
    with pytest.raises(errors.Conflict):
        member_removal.remove(manager_of(squatter.account), squatter.account.user_id, member_removal.REVOKE)


def test_first_verification_ends_what_is_created_before_its_commit(latchkey: TestApp, squatter: User) -> None:
    """Requests of other members are valid until the commit. What they create after the verification has read the
    account ends, too: keys, webhooks, applications and memberships.
    """
    account_id = squatter.account.id
    thief = latchkey.member(squatter.account, roles.ADMIN)
    member_roles.change_role(manager_of(squatter.account), thief.user_id, roles.OWNER)
    thief = AccountOfTest(members.find(thief.user, thief.id))
    latchkey.clock.forward(1)
    sender = dynamodb.sender()
    secrets: list[str] = []

    def create_before_the_proof(operation: str, request: dict[str, Any]) -> dict[str, Any]:
        if operation == "TransactWriteItems" and "password_hash" in str(request) and not secrets:
            with dynamodb.use_sender(sender):
                latchkey.clock.forward(0.01)
                secrets.append(latchkey.key(thief).secret)
                endpoints.create(account_id, url="https://example.com/", name="Spy", types=None, user_id=thief.user_id)
                register_client(latchkey, owner=thief)
                member_roles.change_role(
                    manager_of(thief), latchkey.member(thief, roles.ADMIN, name="M").user_id, "owner"
                )
                latchkey.clock.forward(0.01)
        return sender(operation, request)

    with dynamodb.use_sender(create_before_the_proof):
        verify(latchkey, squatter)
    run_pending()
    assert count_active(account_id) == (0, 0, 0)
    account = tables.Account.get(account_id)
    assert ([each.user_id for each in members.items_of(account_id)], account.owners) == ([squatter.account.user_id], 1)
    assert latchkey.call("GET", "/v1/users/me", secrets[0]).status == 401


def test_first_verification_leaves_an_account_that_was_handed_over(latchkey: TestApp, squatter: User) -> None:
    """Who signed up with the address may have given the account to themselves and kept the user as an admin of it."""
    thief, stays = latchkey.member(squatter.account, roles.ADMIN), latchkey.account(name="Later")
    member_roles.transfer_ownership(manager_of(squatter.account), thief.user_id)
    latchkey.clock.forward(1)
    verify(latchkey, squatter)
    user = tables.User.get(squatter.account.user_id)
    assert members.all_of(user) == []
    latchkey.clock.forward(1)
    later = create.create_further_account(user, name="Later", tier=tiers.FREE)
    with models.transaction() as write:
        members.add_to(write, members.new(later.account.id, stays.user_id, roles.ADMIN), stays.user)
    user = tables.User.get(user.id)
    member_roles.transfer_ownership(members.find(user, later.account.id).manager, stays.user_id)
    run_pending()
    assert [each.account.id for each in members.all_of(tables.User.get(user.id))] == [later.account.id]


def test_first_verification_deletes_what_the_user_made_in_other_accounts(latchkey: TestApp, squatter: User) -> None:
    """In an account that somebody else created, the user's own keys, webhooks, applications, invitations and invited
    members from before the verification are deleted, and everything else stays.
    """
    host = latchkey.account(name="Host")
    with models.transaction() as write:
        new = members.new(host.id, squatter.account.user_id, roles.ADMIN, invited_by=host.user_id)
        members.add_to(write, new, squatter.account.user)
    user = tables.User.get(squatter.account.user_id)
    by_user, by_host = AccountOfTest(members.find(user, host.id)), host
    for by in (by_user, by_host):
        latchkey.key(by)
        endpoints.create(host.id, url="https://example.com/", name="Hook", types=None, user_id=by.user_id)
        register_client(latchkey, owner=by)
        invitations.invite(
            manager_of(by),
            email=f"{by.role}@example.com",
            role=roles.VIEWER,
            networks=("192.0.2.0/24",),
            base_url="https://x",
        )
    invited = {by.user_id: latchkey.member(by, roles.DEVELOPER) for by in (by_user, by_host)}
    ended = latchkey.key(invited[by_user.user_id])
    latchkey.clock.forward(1)
    verify(latchkey, squatter)
    assert latchkey.call("GET", "/v1/users/me", ended.secret).status == 401
    run_pending()
    assert count_active(host.id) == (1, 1, 1)
    assert [each.user_id for each in find.keys_of(host.id) if each.is_live()] == [host.user_id]
    assert {each.user_id for each in members.items_of(host.id)} == {
        *(host.user_id, squatter.account.user_id, invited[host.user_id].user_id)
    }
    assert [each.invited_by for each in invitations.read_page(host.account, 50)[0]] == [host.user_id]


@pytest.mark.parametrize("is_creator", [True, False])
def test_request_that_verifies_deletes_one_batch_of_invitations(
    latchkey: TestApp, squatter: User, is_creator: bool
) -> None:
    """However many invitations there are, the request makes few calls. The job deletes the rest, each once."""
    account_id = squatter.account.id
    if not is_creator:
        account_id = latchkey.account(name="Host").id
        with models.transaction() as write:
            members.add_to(write, members.new(account_id, squatter.account.user_id, roles.ADMIN), squatter.account.user)
    for number in range(2 * progress.BATCH + 3):
        store_invitation(account_id, squatter.account.user_id, number, at_ms=latchkey.clock.now_ms)
    latchkey.clock.forward(1)
    verify(latchkey, squatter)
    assert count_invitations(account_id) == progress.BATCH + 3
    run_pending()
    assert count_invitations(account_id) == 0
    withdrawn = record.newest_first(account_id, 1_000, kind=kinds.INVITATION_WITHDRAWN)
    assert len(withdrawn) == 2 * progress.BATCH + 3


def store_invitation(account_id: str, by: str, number: int, *, at_ms: int) -> None:
    """Store an invitation that a user made at a time."""
    tables.Invitation(
        account_id,
        f"inv_{number:020}",
        email=f"invited{number}@example.com",
        role=roles.VIEWER,
        invited_by=by,
        created_at=at_ms,
        expires_at=at_ms + invitations.LIFETIME_MS,
        digest=f"digest{number}",
        dies_at=(at_ms + invitations.LIFETIME_MS) // 1000,
    ).save()


def count_invitations(account_id: str) -> int:
    """Count the stored invitations of an account."""
    return tables.Invitation.count(account_id, tables.Invitation.id.startswith(invitations.FIRST_ID))


def manager_of(account: AccountOfTest) -> Manager:
    """Return the user of an account as a manager of its members."""
    return Manager(account.id, account.user_id, account.role)


@pytest.mark.parametrize("by", ["proof", "link"])
def test_termination_of_many_applications_reaches_the_users_of_three(latchkey: TestApp, by: str) -> None:
    """All applications are deleted at once. The cached policies of the users of the first three are invalidated at
    once, too, and all grants are deleted by later runs.
    """
    owner = new_user(latchkey, "Eve", verified=by == "link")
    owned = [register_client(latchkey, owner=owner.account) for _ in range(delete_client.IMMEDIATE_MAX + 2)]
    given = [
        grants.new(latchkey.account().id, ids.new("usr"), app.id, scopes={"read"}, resources=set()) for app in owned
    ]
    for grant in given:
        grant.save()
    latchkey.clock.forward(1)
    if by == "proof":
        verify(latchkey, owner)
    else:
        pending = password_reset.new(owner.account.user_id, {app.id for app in owned}, by="link")
        pending.save()
        assert finish.run_first_batch(pending)
    assert list(clients.list_of_account(owner.account.id)) == []
    marked = [invalidation.is_marked(grant.account_id, latchkey.clock.now_ms) for grant in given]
    assert sorted(marked) == [False] * 2 + [True] * delete_client.IMMEDIATE_MAX
    run_pending()
    assert [grant.id for grant in given if Grant.found(grant.id) is not None] == []
