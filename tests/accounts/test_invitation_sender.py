"""A link is valid only while who made the invitation could still make it."""

import pytest

from chalicelib.accounts import email_links, invitations, member_roles, members, roles
from chalicelib.accounts.invitations import Invited
from chalicelib.accounts.managers import Manager
from chalicelib.accounts.tables import User
from chalicelib.core.dynamodb import models
from chalicelib.termination import member_removal
from tests.support.harness import AccountOfTest, TestApp

ADDRESS = "grace@example.com"


def invite(manager: Manager, role: str = roles.VIEWER) -> Invited:
    return invitations.invite(manager, email=ADDRESS, role=role, networks=("n1",), base_url="")


def rejoin(owner: AccountOfTest, user_id: str) -> None:
    user = User.get(user_id, consistent_read=True)
    with models.transaction() as write:
        members.add_to(write, members.new(owner.id, user_id, roles.ADMIN, invited_by=owner.user_id), user)


def test_a_sender_who_left_and_rejoined_has_no_open_invitations(latchkey: TestApp) -> None:
    owner = latchkey.account()
    admin = latchkey.member(owner, roles.ADMIN)
    latchkey.clock.forward(60)
    invited = invite(admin.membership.manager)
    latchkey.clock.forward(60)
    member_removal.remove(owner.membership.manager, admin.user_id, member_removal.REVOKE)
    rejoin(owner, admin.user_id)
    with pytest.raises(email_links.SpentLink):
        invitations.open_link(invited.link)


def test_a_sender_whose_role_changed_and_changed_back_has_them(latchkey: TestApp) -> None:
    owner = latchkey.account()
    admin = latchkey.member(owner, roles.ADMIN)
    invited = invite(admin.membership.manager)
    latchkey.clock.forward(60)
    for role in (roles.VIEWER, roles.ADMIN):
        member_roles.change_role(owner.membership.manager, admin.user_id, role)
    assert invitations.open_link(invited.link).invitation.id == invited.invitation.id
