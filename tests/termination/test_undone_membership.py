"""The first verification of an address removes the members whom the user invited to accounts of others, together with
everything that they created and with those whom they invited.
"""

import pytest

from chalicelib.accounts import email_links, invitations, member_roles, members, roles
from chalicelib.accounts.tables import Account, Invitation, User
from chalicelib.core.dynamodb import models
from chalicelib.credentials.find import keys_of
from chalicelib.events import actors, kinds, record
from chalicelib.oauth import clients
from chalicelib.termination import finish, undone_membership
from chalicelib.webhooks import endpoints
from tests.oauth.flow import register_client
from tests.support.console_client import ConsoleClient, hash_of, new_account
from tests.support.harness import AccountOfTest, TestApp
from tests.support.job_runs import run_jobs, stored_jobs


def join(host: AccountOfTest, user_id: str, role: str, by: AccountOfTest) -> AccountOfTest:
    """Add a user to an account, as if `by` had invited them."""
    user = User.get(user_id)
    with models.transaction() as write:
        members.add_to(write, members.new(host.id, user_id, role, invited_by=by.user_id), user)
    return AccountOfTest(members.find(User.get(user_id), host.id))


def create_everything(latchkey: TestApp, by: AccountOfTest) -> None:
    """Create a key, a webhook, an application and an invitation."""
    latchkey.key(by)
    endpoints.create(by.id, url="https://example.com/", name="Hook", types=None, user_id=by.user_id)
    register_client(latchkey, owner=by)
    invite(by, f"{by.user_id.lower()}@example.com")


def invite(by: AccountOfTest, email: str) -> None:
    invitations.invite(
        by.membership.manager, email=email, role=roles.VIEWER, networks=(by.user_id,), base_url="https://x"
    )


def creators(account: Account) -> list[set[str | None]]:
    """Return the users who created the account's keys, webhooks, applications and invitations."""
    return [
        {key.user_id for key in keys_of(account.id) if key.is_live()},
        {endpoint.user_id for endpoint in endpoints.of_account(account.id)},
        {client.user_id for client in clients.list_of_account(account.id)},
        {each.invited_by for each in Invitation.query(account.id, Invitation.id.startswith("inv_"))},
    ]


def members_of(account: Account) -> set[str]:
    return {each.user_id for each in members.items_of(account.id)}


def verify(account: AccountOfTest) -> None:
    """Use a reset link that was sent to the user's address: the first verification, with its first batch."""
    user = User.get(account.user_id)
    secret = email_links.new_link(user.id, email_links.SET_PASSWORD, email=user.email, epoch=user.session_epoch)
    pending = email_links.set_password(
        email_links.find_link(secret, email_links.SET_PASSWORD), user, hash_of("another")
    )
    assert pending is not None
    finish.run_first_batch(pending)


@pytest.fixture
def host(latchkey: TestApp) -> AccountOfTest:
    """An account whose owner created one item of each kind."""
    host = latchkey.account(name="Host")
    create_everything(latchkey, host)
    return host


@pytest.fixture
def squatter(latchkey: TestApp, host: AccountOfTest) -> AccountOfTest:
    """A member of the host's account with an unverified address."""
    eve = new_account(name="Eve", verified=False)
    latchkey.clock.forward(60)
    return join(host, eve.user_id, roles.ADMIN, host)


def test_a_chain_of_invitations_ends_with_everything_that_its_members_created(
    latchkey: TestApp, host: AccountOfTest, squatter: AccountOfTest
) -> None:
    inviter = squatter
    for name in ("Mone", "Mtwo", "Mthree"):
        latchkey.clock.forward(1)
        inviter = join(host, latchkey.account(name=name).user_id, roles.ADMIN, inviter)
        create_everything(latchkey, inviter)
    latchkey.clock.forward(60)
    verify(squatter)
    run_jobs()
    assert members_of(host.account) == {host.user_id, squatter.user_id}
    assert creators(host.account) == [{host.user_id}] * 4
    latchkey.clock.forward(120)
    run_jobs()
    assert stored_jobs() == []


def test_events_of_other_accounts_do_not_reveal_where_the_user_verified(
    latchkey: TestApp, host: AccountOfTest, squatter: AccountOfTest
) -> None:
    """The account of somebody else sees that the service ended the items, and not the user's IP address."""
    latchkey.key(squatter)
    invited = join(host, latchkey.account(name="Mallory").user_id, roles.VIEWER, squatter)
    latchkey.clock.forward(60)
    secret = email_links.new_link(
        squatter.user_id, email_links.VERIFY_EMAIL, email=squatter.email, epoch=squatter.user.session_epoch
    )
    console = ConsoleClient(latchkey)
    assert console.submit(f"/verify?ticket={secret}", password="harmonica wolverine custard").status == 303
    ended = [each for each in record.newest_first(host.id, 2) if each.type in (kinds.KEY_REVOKED, kinds.MEMBER_REMOVED)]
    assert [each.actor for each in ended] == [actors.SYSTEM] * 2
    assert not any(each.user_id or each.source_ip for each in ended)
    assert invited.user_id in [each.changed.as_dict().get("user") for each in ended]
    (own,) = record.newest_first(squatter.user_id, 1)
    assert own.source_ip == console.ip


def test_what_a_member_created_in_another_membership_stays(
    latchkey: TestApp, host: AccountOfTest, squatter: AccountOfTest
) -> None:
    """A member may have belonged to the account before, and may join again before the job has run."""
    mallory = latchkey.account(name="Mallory")
    earlier = join(host, mallory.user_id, roles.ADMIN, host)
    create_everything(latchkey, earlier)
    guest = join(host, latchkey.account(name="Guest").user_id, roles.VIEWER, earlier)
    with models.transaction() as write:
        members.remove_from(write, earlier.membership.member, host.membership.manager)
    latchkey.clock.forward(60)
    undone = join(host, mallory.user_id, roles.ADMIN, squatter)
    endpoints.create(host.id, url="https://example.com/", name="Spy", types=None, user_id=mallory.user_id)
    invite(undone, "spy@example.com")
    latchkey.clock.forward(60)
    undone_membership.remove(host.id, mallory.user_id)
    latchkey.clock.forward(60)
    invite(join(host, mallory.user_id, roles.ADMIN, host), "later@example.com")
    run_jobs()
    assert [each.name for each in endpoints.of_account(host.id)] == ["Hook", "Hook"]
    assert {each.email for each in invitations.read_page(host.account, 50)[0]} == {
        *(f"{user_id.lower()}@example.com" for user_id in (host.user_id, mallory.user_id)),
        "later@example.com",
    }
    assert members_of(host.account) == {*(each.user_id for each in (host, squatter, mallory, guest))}


def test_the_last_owner_and_changed_roles_stay(latchkey: TestApp, host: AccountOfTest, squatter: AccountOfTest) -> None:
    """An account keeps an owner, even one whom the user invited, and members keep the roles that the user gave."""
    viewer = latchkey.member(host, roles.VIEWER)
    member_roles.change_role(squatter.membership.manager, viewer.user_id, roles.ADMIN)
    invited = join(host, latchkey.account(name="Mallory").user_id, roles.ADMIN, squatter)
    member_roles.change_role(host.membership.manager, invited.user_id, roles.OWNER)
    member_roles.change_role(host.membership.manager, host.user_id, roles.VIEWER)
    latchkey.clock.forward(60)
    verify(squatter)
    run_jobs()
    assert {each.user_id: each.role for each in members.items_of(host.id)} == {
        host.user_id: roles.VIEWER,
        squatter.user_id: roles.ADMIN,
        viewer.user_id: roles.ADMIN,
        invited.user_id: roles.OWNER,
    }
