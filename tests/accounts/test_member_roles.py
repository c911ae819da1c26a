"""Changing the role of a member: who may, which changes are refused, and what applies at the next request."""

import pytest

from chalicelib.accounts import member_roles, members, roles
from chalicelib.accounts.tables import Account, Member, User
from chalicelib.core import errors
from chalicelib.events import kinds, record
from tests.support.harness import AccountOfTest, TestApp, error_of


def change(by: AccountOfTest, member: AccountOfTest, role: str) -> str:
    return member_roles.change_role(by.membership.manager, member.user_id, role).role


def owners_of(account: AccountOfTest) -> int:
    return Account.get(account.id, consistent_read=True).owners


def test_a_changed_role_applies_at_the_next_request(latchkey: TestApp) -> None:
    owner = latchkey.account()
    admin = latchkey.member(owner, roles.ADMIN)
    secret = latchkey.key(admin, "read", "webhooks", "members").secret
    assert latchkey.call("GET", "/v1/members", secret).status == 200
    change(owner, admin, roles.DEVELOPER)
    assert error_of(latchkey.call("GET", "/v1/members", secret)) == (403, "insufficient_scope")
    assert error_of(latchkey.call("GET", "/v1/webhooks", secret)) == (403, "insufficient_scope")
    assert latchkey.call("GET", "/v1/users/me", secret).json()["role"] == roles.DEVELOPER
    change(owner, admin, roles.ADMIN)
    assert latchkey.call("GET", "/v1/members", secret).status == 200
    types = [event.changed.as_dict() for event in record.newest_first(owner.id, 10, kind=kinds.MEMBER_ROLE_CHANGED)]
    assert types == [{"user": admin.user_id, "role": role} for role in (roles.ADMIN, roles.DEVELOPER)]


@pytest.mark.parametrize(
    ("own", "before", "after", "missing"),
    [
        (roles.OWNER, roles.OWNER, roles.ADMIN, None),
        (roles.OWNER, roles.VIEWER, roles.OWNER, None),
        (roles.ADMIN, roles.ADMIN, roles.VIEWER, None),
        (roles.ADMIN, roles.VIEWER, roles.ADMIN, None),
        (roles.ADMIN, roles.OWNER, roles.ADMIN, roles.OWNER),
        (roles.ADMIN, roles.VIEWER, roles.OWNER, roles.OWNER),
        (roles.DEVELOPER, roles.VIEWER, roles.DEVELOPER, roles.ADMIN),
        (roles.VIEWER, roles.VIEWER, roles.DEVELOPER, roles.ADMIN),
    ],
)
def test_nobody_gives_or_takes_a_role_above_their_own(
    latchkey: TestApp, own: str, before: str, after: str, missing: str | None
) -> None:
    owner = latchkey.account()
    acting = owner if own == roles.OWNER else latchkey.member(owner, own, name="Acting")
    target = owner if before == roles.OWNER and own != roles.OWNER else latchkey.member(owner, before)
    if before == roles.OWNER and own == roles.OWNER:
        Account(owner.id).update(actions=[Account.owners.set(2)])
    if missing is None:
        assert change(acting, target, after) == after
    else:
        with pytest.raises(errors.InsufficientRole, match=missing):
            change(acting, target, after)


def test_nobody_raises_their_own_role(latchkey: TestApp) -> None:
    owner = latchkey.account()
    for role in (roles.ADMIN, roles.DEVELOPER, roles.VIEWER):
        member = latchkey.member(owner, role, name=role)
        with pytest.raises(errors.InsufficientRole):
            change(member, member, roles.OWNER)


def test_an_admin_can_step_down(latchkey: TestApp) -> None:
    admin = latchkey.member(latchkey.account(), roles.ADMIN)
    assert change(admin, admin, roles.VIEWER) == roles.VIEWER


def test_the_last_owner_stays_owner(latchkey: TestApp) -> None:
    owner = latchkey.account()
    with pytest.raises(errors.Conflict, match="at least one owner"):
        change(owner, owner, roles.ADMIN)
    assert (owners_of(owner), Member.get(owner.id, owner.user_id).role) == (1, roles.OWNER)


def test_ownership_is_transferred_in_one_step(latchkey: TestApp) -> None:
    owner = latchkey.account()
    member = latchkey.member(owner, roles.VIEWER)
    member_roles.transfer_ownership(owner.membership.manager, member.user_id)
    found = {each.user_id: each.role for each in Member.query(owner.id)}
    assert (owners_of(owner), found) == (1, {owner.user_id: roles.ADMIN, member.user_id: roles.OWNER})
    changes = [event.changed.as_dict() for event in record.newest_first(owner.id, 2, kind=kinds.MEMBER_ROLE_CHANGED)]
    assert {(change["user"], change["role"]) for change in changes} == set(found.items())


def test_ownership_isnt_transferred_to_an_owner_or_by_an_admin(latchkey: TestApp) -> None:
    owner = latchkey.account()
    admin, viewer = latchkey.member(owner, roles.ADMIN, name="Eve"), latchkey.member(owner, roles.VIEWER)
    with pytest.raises(errors.Conflict, match="an owner already"):
        member_roles.transfer_ownership(owner.membership.manager, owner.user_id)
    with pytest.raises(errors.InsufficientRole, match=roles.OWNER):
        member_roles.transfer_ownership(admin.membership.manager, viewer.user_id)
    assert owners_of(owner) == 1


def test_ownership_can_be_shared_and_given_up(latchkey: TestApp) -> None:
    owner = latchkey.account()
    member = latchkey.member(owner, roles.VIEWER)
    change(owner, member, roles.OWNER)
    assert owners_of(owner) == 2
    change(owner, owner, roles.ADMIN)
    assert owners_of(owner) == 1
    assert change(AccountOfTest(members.find(User.get(member.user_id), owner.id)), owner, roles.VIEWER) == roles.VIEWER


def test_a_change_by_someone_who_lost_the_role_meanwhile_is_refused(latchkey: TestApp) -> None:
    owner = latchkey.account()
    admin, viewer = latchkey.member(owner, roles.ADMIN, name="Eve"), latchkey.member(owner, roles.VIEWER)
    Member(owner.id, admin.user_id).update(actions=[Member.role.set(roles.VIEWER)])
    with pytest.raises(errors.Conflict, match="changed in the meantime"):
        change(admin, viewer, roles.ADMIN)


def test_a_user_who_is_no_member_is_not_found(latchkey: TestApp) -> None:
    owner, other = latchkey.account(), latchkey.account(name="Eve")
    for user_id in (other.user_id, "usr_00000000000000000000", "rubbish", roles.service_user_of(owner.id)):
        with pytest.raises(errors.NotFound, match="no such member"):
            member_roles.change_role(owner.membership.manager, user_id, roles.VIEWER)
