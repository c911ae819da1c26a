"""A link is valid only while who made the invitation could still make it."""

import pytest

from chalicelib.accounts import email_links, invitation_acceptance, invitations, member_roles, members, roles
from chalicelib.accounts.invitations import Invited
from chalicelib.accounts.managers import Manager
from chalicelib.accounts.tables import User
from chalicelib.core.dynamodb import models
from chalicelib.credentials import revoke
from chalicelib.termination import member_removal
from tests.support.console_client import ConsoleClient, hash_of
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


def invite_with(latchkey: TestApp, secret: str, role: str = roles.ADMIN) -> str:
    """Invite with a key; return the secret of the link."""
    made = latchkey.call("POST", "/v1/invitations", secret, json_body={"email": ADDRESS, "role": role})
    assert made.status == 201
    return str(made.json()["accept_url"]).partition("ticket=")[2]


def test_an_invitation_with_a_kept_key_ends_when_the_key_is_revoked(latchkey: TestApp) -> None:
    owner = latchkey.account()
    admin = latchkey.member(owner, roles.ADMIN)
    kept = latchkey.key(admin, "members")
    member_removal.remove(owner.membership.manager, admin.user_id, member_removal.MOVE)
    link = invite_with(latchkey, kept.secret)
    opened = invitations.open_link(link)
    revoke.revoke(owner.id, kept.key.id)
    page = ConsoleClient(latchkey).open(f"/invitation?ticket={link}")
    assert page.status == 410
    with pytest.raises(email_links.SpentLink):
        invitation_acceptance.accept_as_new_user(opened, name="Back", password_hash=hash_of("a few unrelated words"))
    assert [each.user_id for each in members.items_of(owner.id)] == [owner.user_id]


def test_an_invitation_with_a_kept_key_ends_when_the_key_expires(latchkey: TestApp) -> None:
    owner = latchkey.account()
    link = invite_with(latchkey, latchkey.key(latchkey.service(owner), "members", expires_in_s=3_600).secret)
    opened = invitations.open_link(link)
    latchkey.clock.forward(3_601)
    with pytest.raises(email_links.SpentLink):
        invitations.open_link(link)
    with pytest.raises(email_links.SpentLink):
        invitation_acceptance.accept(opened, latchkey.account(email=ADDRESS).user)


@pytest.mark.parametrize("expires_in_s", [None, 3_600])
@pytest.mark.parametrize("role", [roles.VIEWER, roles.ADMIN])
def test_an_invitation_with_a_valid_kept_key_is_accepted(
    latchkey: TestApp, role: str, expires_in_s: int | None
) -> None:
    owner, grace = latchkey.account(), latchkey.account(email=ADDRESS)
    link = invite_with(
        latchkey, latchkey.key(latchkey.service(owner), "members", expires_in_s=expires_in_s).secret, role
    )
    invitation_acceptance.accept(invitations.open_link(link), grace.user)
    assert members.find(User.get(grace.user_id, consistent_read=True), owner.id).role == role


def test_an_invitation_with_a_member_s_key_outlives_the_key(latchkey: TestApp) -> None:
    owner = latchkey.account()
    issued = latchkey.key(owner, "members")
    link = invite_with(latchkey, issued.secret)
    revoke.revoke(owner.id, issued.key.id)
    assert invitations.open_link(link).invitation.invited_with is None
