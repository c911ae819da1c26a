"""Memberships: who belongs to which account, and the limits that conditions of the writes enforce."""

import pytest
from pynamodb.exceptions import TransactWriteError

from chalicelib.accounts import members, roles
from chalicelib.accounts.managers import Manager
from chalicelib.accounts.members import ACCOUNTS_MAX, UNVERIFIED_ACCOUNTS_MAX
from chalicelib.accounts.tables import Account, Member, User
from chalicelib.core import errors, ids, telemetry
from chalicelib.core.dynamodb import models
from tests.support.console_client import log_in_as, new_account
from tests.support.harness import AccountOfTest, TestApp


def add(account: AccountOfTest, user: User, role: str = roles.VIEWER) -> None:
    """Add a user to an account."""
    with models.transaction() as write:
        members.add_to(write, members.new(account.id, user.id, role), user)


def remove(member: Member) -> None:
    """Remove a member from an account."""
    with models.transaction() as write:
        members.remove_from(write, member, Manager(member.account_id, member.user_id, member.role))


def accounts_of(user_id: str) -> set[str]:
    """Return the ids of the accounts in the list of a user."""
    return User.get(user_id, consistent_read=True).account_ids or set()


def test_member_is_found_from_the_user_and_from_the_account(latchkey: TestApp) -> None:
    """A member is listed for the account, and the account for the user, with the role in each."""
    owner = latchkey.account()
    member = latchkey.member(owner, roles.DEVELOPER)
    assert [(each.account.name, each.role) for each in members.all_of(member.user)] == [
        ("Ada", "developer"),
        ("Grace", "owner"),
    ]
    assert {(each.user.name, each.role) for each in members.of_account(owner.account)} == {
        ("Ada", "owner"),
        ("Grace", "developer"),
    }
    found = members.find(member.user, owner.id)
    assert (found.account.id, found.user.id, found.role, found.member.invited_by) == (
        owner.id,
        member.user_id,
        "developer",
        owner.user_id,
    )


@pytest.mark.parametrize("role", roles.ALL)
def test_role_has_the_rights_of_the_roles_below_it(latchkey: TestApp, role: str) -> None:
    """A role includes the rights of every lower role, and none of a higher one; an unknown role has no rights."""
    owner = latchkey.account()
    membership = (latchkey.member(owner, role)).membership
    for least in roles.ALL:
        assert membership.may(least) is (roles.ALL.index(role) <= roles.ALL.index(least))
        if not membership.may(least):
            with pytest.raises(errors.InsufficientRole, match=least):
                members.require(membership, least)
    assert not roles.has_rights_of("root", roles.VIEWER)


def test_account_of_others_is_not_found(latchkey: TestApp) -> None:
    """A user finds no account to which they don't belong. No item of it is read."""
    owner, stranger = latchkey.account(), latchkey.account(name="Eve")
    with telemetry.record_calls() as calls, pytest.raises(errors.NotFound, match="aren't a member"):
        members.find(stranger.user, owner.id)
    assert calls.made == []


def test_half_of_a_membership_is_none(latchkey: TestApp) -> None:
    """A membership needs its item and its entry in the user's list; the list alone gives no access."""
    owner, eve = latchkey.account(), latchkey.account(name="Eve")
    eve.user.update(actions=[User.account_ids.add({owner.id})])
    with pytest.raises(errors.NotFound):
        members.find(eve.user, owner.id)
    assert [each.account.id for each in members.all_of(eve.user)] == [eve.id]


def test_membership_from_before_the_first_verification_of_the_creator_is_none(latchkey: TestApp) -> None:
    """A membership that is older than the account's `credentials_since` isn't valid; one of the same time is."""
    owner = latchkey.account()
    member = latchkey.member(owner, roles.ADMIN)
    since = Member.get(owner.id, member.user_id).since
    for later_ms, is_valid in ((0, True), (1, False)):
        owner.account.update(actions=[Account.credentials_since.set(since + later_ms)])
        assert (owner.id in {each.account.id for each in members.all_of(member.user)}) is is_valid
        assert (member.user_id in {each.user.id for each in members.of_account(owner.account)}) is is_valid
    with pytest.raises(errors.NotFound):
        members.find(member.user, owner.id)


@pytest.mark.parametrize("status", ["suspended", "deleted"])
def test_suspended_account_is_found_and_refused_and_deleted_one_is_not_found(latchkey: TestApp, status: str) -> None:
    """A member of a suspended account sees that it is suspended; a deleted account isn't found."""
    owner = latchkey.account()
    listed = Account.listed.set("listed") if status == "suspended" else Account.listed.remove()
    owner.account.update(actions=[Account.status.set(status), listed])
    if status == "suspended":
        with pytest.raises(members.SuspendedAccount) as refused:
            members.require_active(members.find(owner.user, owner.id))
        assert (refused.value.status, refused.value.error) == (403, "suspended")
    else:
        with pytest.raises(errors.NotFound):
            members.find(owner.user, owner.id)
        assert members.all_of(owner.user) == []


@pytest.mark.parametrize(
    ("verified", "most"), [(True, ACCOUNTS_MAX), (False, UNVERIFIED_ACCOUNTS_MAX)], ids=["verified", "unverified"]
)
def test_user_belongs_to_50_accounts_or_to_40_while_unverified(latchkey: TestApp, verified: bool, most: int) -> None:
    """A user belongs to at most 50 accounts; with an unverified address to at most 40, because the first verification
    changes all of them in one transaction.
    """
    assert (ACCOUNTS_MAX, UNVERIFIED_ACCOUNTS_MAX) == (50, 40)
    grace = new_account(name="Grace", verified=verified)
    owners = [latchkey.account() for _ in range(2)]
    others = {ids.new("acc") for _ in range(most - 2)}
    grace.user.update(actions=[User.account_ids.add(others)])
    add(owners[0], grace.user)
    assert len(accounts_of(grace.user_id)) == most
    with pytest.raises(TransactWriteError):
        add(owners[1], grace.user)
    assert Member.count(owners[1].id) == 1
    assert f"at most {most} accounts" in members.too_many(grace.user).message


def test_user_who_is_a_member_is_not_added_again(latchkey: TestApp) -> None:
    """A member who is added again keeps the role of the first time, and the second transaction fails."""
    owner = latchkey.account()
    member = latchkey.member(owner, roles.ADMIN)
    with pytest.raises(TransactWriteError):
        add(owner, member.user, roles.VIEWER)
    assert Member.get(owner.id, member.user_id).role == "admin"


def test_deleted_user_is_not_added(latchkey: TestApp) -> None:
    """A user who was deleted since they were read doesn't become a member."""
    owner, grace = latchkey.account(), latchkey.account(name="Grace")
    User(grace.user_id).update(actions=[User.listed.remove()])
    with pytest.raises(TransactWriteError):
        add(owner, grace.user)
    assert Member.count(owner.id) == 1


def test_removed_member_belongs_to_the_account_no_more(latchkey: TestApp) -> None:
    """A removal deletes the membership and the entry in the user's list, and can't be repeated."""
    owner = latchkey.account()
    member = latchkey.member(owner, roles.VIEWER)
    remove(member.membership.member)
    assert owner.id not in accounts_of(member.user_id)
    assert Account.get(owner.id).owners == 1
    with pytest.raises(errors.NotFound):
        members.find(User.get(member.user_id), owner.id)
    with pytest.raises(TransactWriteError):
        remove(member.membership.member)


def test_last_owner_is_not_removed(latchkey: TestApp) -> None:
    """The removal of the last owner fails by its condition, and nothing of it is stored."""
    owner = latchkey.account()
    with pytest.raises(TransactWriteError):
        remove(owner.membership.member)
    assert (Member.count(owner.id), Account.get(owner.id).owners) == (1, 1)
    assert accounts_of(owner.user_id) == {owner.id}


def test_owner_is_removed_while_another_owner_remains(latchkey: TestApp) -> None:
    """Of two owners one can be removed; the other is then the last one."""
    owner = latchkey.account()
    second = latchkey.member(owner, roles.OWNER)
    owner.account.update(actions=[Account.owners.set(2)])
    remove(owner.membership.member)
    assert Account.get(owner.id).owners == 1
    with pytest.raises(TransactWriteError):
        remove(second.membership.member)


def test_removal_fails_after_a_concurrent_change_of_the_role(latchkey: TestApp) -> None:
    """A member whose role was changed since it was read isn't removed: they may have become an owner."""
    owner = latchkey.account()
    member = latchkey.member(owner, roles.ADMIN)
    Member(owner.id, member.user_id).update(actions=[Member.role.set(roles.OWNER)])
    with pytest.raises(TransactWriteError):
        remove(member.membership.member)
    assert Member.get(owner.id, member.user_id).role == "owner"


def test_members_are_listed_in_pages(latchkey: TestApp) -> None:
    """Members are listed by user id, at most `size` of them after a user id, and with the position of the next page."""
    owner = latchkey.account()
    expected = sorted([owner.user_id, *(latchkey.member(owner, roles.VIEWER).user_id for _ in range(3))])

    def page(size: int, after: str = "") -> tuple[list[str], str]:
        found, next_after = members.read_page(owner.account, size, after=after)
        return [each.user.id for each in found], next_after

    assert page(9) == page(4) == (expected, "")
    assert page(2) == (expected[:2], expected[1])
    assert page(9, expected[1]) == page(2, expected[1]) == (expected[2:], "")
    assert page(9, expected[3]) == ([], "")


def test_service_user_belongs_to_its_account_only(latchkey: TestApp) -> None:
    """The id of the service user is derived from the account's, and differs from that of every member."""
    owner, other = latchkey.account(), latchkey.account()
    service = roles.service_user_of(owner.id)
    assert service == owner.id.replace("acc_", "usr_")
    assert roles.is_service_user(service, owner.id)
    assert not roles.is_service_user(service, other.id)
    assert not roles.is_service_user(owner.user_id, owner.id)
    assert User.found(service) is None


def test_names_and_owners_are_found_among_any_number_of_members(latchkey: TestApp) -> None:
    """Users are named, and owners are found, however many members come before them by id."""
    owner = new_account()
    for number in range(210):
        user_id = f"usr_{number:020}"
        members.new(owner.id, user_id, roles.VIEWER).save()
        User(user_id, email=f"{number}@example.com", name="Early", created_at=1, account_ids={owner.id}).save()
    grace, other = latchkey.member(owner, roles.ADMIN), latchkey.account(name="Eve")
    asked = {owner.user_id, grace.user_id, other.user_id, "usr_no"}
    found = members.users_of(owner.account, asked)
    assert {user_id: user.name for user_id, user in found.items()} == {owner.user_id: "Ada", grace.user_id: "Grace"}
    assert members.users_of(owner.account, set()) == {}
    assert [each.id for each in members.owners_of(owner.account, 10)] == [owner.user_id]
    secret = latchkey.key(grace, "members").secret
    latchkey.call("POST", "/v1/invitations", secret, json_body={"email": "joe@example.com", "role": "viewer"})
    console = log_in_as(latchkey, owner)
    for path in ("/settings/activity", "/settings/keys"):
        assert "former" not in console.open(path).text
        assert "Grace" in console.open(path).text
    admin = new_account(name="Admin", admin=True)
    assert grace.user.email in log_in_as(latchkey, admin).open(f"/admin/accounts/{owner.id}/events").text
