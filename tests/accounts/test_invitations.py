"""Invitations: who may invite whom, and what a link is good for."""

from dataclasses import replace

import pytest

from chalicelib.accounts import (
    change,
    email_links,
    email_sender,
    find,
    invitation_acceptance,
    invitations,
    members,
    roles,
)
from chalicelib.accounts.invitations import Invited
from chalicelib.accounts.managers import Manager
from chalicelib.accounts.states import SUSPENDED
from chalicelib.accounts.tables import Account, Member, User
from chalicelib.core import errors, settings
from chalicelib.events import kinds, record
from chalicelib.limits.admission import Rejected
from tests.support.console_client import hash_of, new_account
from tests.support.harness import AccountOfTest, TestApp

ADDRESS = "grace@example.com"
PASSWORD_HASH = hash_of("a few unrelated words")


def invite(by: AccountOfTest, email: str = ADDRESS, role: str = roles.DEVELOPER, *, network: str = "n1") -> Invited:
    return invitations.invite(
        by.membership.manager, email=email, role=role, networks=(network,), base_url="https://api.example.com"
    )


def accept(invited: Invited, user: User) -> None:
    invitation_acceptance.accept(invitations.open_link(invited.link), user)


def reread(user: User) -> User:
    return User.get(user.id, consistent_read=True)


def test_a_user_with_the_invited_address_becomes_a_member(latchkey: TestApp) -> None:
    owner, grace = latchkey.account(), latchkey.account(email=ADDRESS)
    invited = invite(owner)
    accept(invited, grace.user)
    joined = members.find(reread(grace.user), owner.id)
    assert (joined.role, joined.member.invited_by) == (roles.DEVELOPER, owner.user_id)
    assert {each.account.id for each in members.all_of(reread(grace.user))} == {owner.id, grace.id}
    (event,) = record.newest_first(owner.id, 10, kind=kinds.MEMBER_JOINED)
    assert event.changed.as_dict() == {"user": grace.user_id, "role": roles.DEVELOPER}


def test_a_new_user_becomes_a_member_without_an_account_of_their_own(latchkey: TestApp) -> None:
    owner = latchkey.account()
    opened = invitations.open_link(invite(owner).link)
    user = invitation_acceptance.accept_as_new_user(opened, name="Grace", password_hash=PASSWORD_HASH)
    found = find.user_by_email(ADDRESS)
    assert found.id == user.id
    assert [each.account.id for each in members.all_of(found)] == [owner.id]


def test_a_link_is_spent_by_its_first_acceptance(latchkey: TestApp) -> None:
    owner, grace = latchkey.account(), latchkey.account(email=ADDRESS)
    invited = invite(owner)
    opened = invitations.open_link(invited.link)
    accept(invited, grace.user)
    with pytest.raises(email_links.SpentLink):
        invitations.open_link(invited.link)
    with pytest.raises(errors.Conflict, match="already a member"):
        invitation_acceptance.accept(opened, reread(grace.user))


def test_a_link_is_only_for_the_invited_address(latchkey: TestApp) -> None:
    owner, eve = latchkey.account(), latchkey.account(name="Eve")
    with pytest.raises(errors.Conflict, match="another email address"):
        accept(invite(owner), eve.user)
    assert reread(eve.user).account_ids == {eve.id}


def test_another_spelling_of_the_address_is_the_same_address(latchkey: TestApp) -> None:
    owner, grace = latchkey.account(), latchkey.account(email=ADDRESS)
    accept(invite(owner, "Grace@Example.COM"), grace.user)
    assert owner.id in reread(grace.user).account_ids


@pytest.mark.parametrize("is_mailed", [True, False])
def test_only_a_mailed_link_proves_the_address(latchkey: TestApp, is_mailed: bool) -> None:
    owner = latchkey.account()
    with settings.override(replace(settings.current(), mail_from="keys@example.com" if is_mailed else "")):
        if is_mailed:
            assert email_sender.is_configured()
        invited = make_without_sending(owner)
        opened = invitations.open_link(invited.link)
        user = invitation_acceptance.accept_as_new_user(opened, name="Grace", password_hash=PASSWORD_HASH)
    assert user.is_verified is is_mailed


def make_without_sending(owner: AccountOfTest) -> Invited:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(email_sender, "_send_with_ses", lambda *_: True)
        return invite(owner)


def test_a_user_with_an_unverified_address_cant_accept_where_email_is_sent(latchkey: TestApp) -> None:
    owner, grace = latchkey.account(), new_account(email=ADDRESS, verified=False)
    with settings.override(replace(settings.current(), mail_from="keys@example.com")):
        invited = make_without_sending(owner)
        with pytest.raises(errors.Conflict, match="Confirm your email"):
            accept(invited, grace.user)


def test_a_second_invitation_replaces_the_first(latchkey: TestApp) -> None:
    owner, grace = latchkey.account(), latchkey.account(email=ADDRESS)
    first, second = invite(owner), invite(owner, role=roles.VIEWER)
    assert [each.role for each in invitations.read_page(owner.account, 50)[0]] == [roles.VIEWER]
    with pytest.raises(email_links.SpentLink):
        invitations.open_link(first.link)
    accept(second, grace.user)
    assert members.find(reread(grace.user), owner.id).role == roles.VIEWER


def test_a_withdrawn_invitation_is_no_longer_valid(latchkey: TestApp) -> None:
    owner, grace = latchkey.account(), latchkey.account(email=ADDRESS)
    invited = invite(owner)
    opened = invitations.open_link(invited.link)
    invitations.withdraw(owner.membership.manager, invited.invitation.id)
    with pytest.raises(email_links.SpentLink):
        invitations.open_link(invited.link)
    with pytest.raises(email_links.SpentLink):
        invitation_acceptance.accept(opened, grace.user)
    with pytest.raises(errors.NotFound):
        invitations.withdraw(owner.membership.manager, invited.invitation.id)


def test_an_expired_invitation_is_no_longer_valid(latchkey: TestApp) -> None:
    owner = latchkey.account()
    invited = invite(owner)
    latchkey.clock.forward(invitations.LIFETIME_MS / 1000 + 1)
    assert invitations.read_page(owner.account, 50) == ([], "")
    with pytest.raises(email_links.SpentLink):
        invitations.open_link(invited.link)


def test_an_invitation_to_a_suspended_account_is_not_valid(latchkey: TestApp) -> None:
    owner, grace = latchkey.account(), latchkey.account(email=ADDRESS)
    invited = invite(owner)
    opened = invitations.open_link(invited.link)
    change.set_tier_and_status(owner.id, tier=None, status=SUSPENDED, actor="operator")
    with pytest.raises(email_links.SpentLink):
        invitations.open_link(invited.link)
    with pytest.raises(email_links.SpentLink):
        invitation_acceptance.accept(opened, grace.user)


@pytest.mark.parametrize(
    ("own", "given", "missing"),
    [
        (roles.OWNER, roles.OWNER, None),
        (roles.ADMIN, roles.ADMIN, None),
        (roles.ADMIN, roles.OWNER, roles.OWNER),
        (roles.DEVELOPER, roles.VIEWER, roles.ADMIN),
        (roles.VIEWER, roles.VIEWER, roles.ADMIN),
    ],
)
def test_nobody_invites_above_their_own_role(latchkey: TestApp, own: str, given: str, missing: str | None) -> None:
    owner = latchkey.account()
    member = owner if own == roles.OWNER else latchkey.member(owner, own)
    if missing is None:
        assert invite(member, role=given).invitation.role == given
        return
    with pytest.raises(errors.InsufficientRole, match=missing):
        invite(member, role=given)


def test_whoever_lost_the_role_meanwhile_cant_invite(latchkey: TestApp) -> None:
    owner = latchkey.account()
    admin = latchkey.member(owner, roles.ADMIN)
    Member(owner.id, admin.user_id).update(actions=[Member.role.set(roles.VIEWER)])
    with pytest.raises(errors.Conflict, match="role in this account"):
        invite(admin)


def test_a_member_cant_be_invited(latchkey: TestApp) -> None:
    owner = latchkey.account()
    member = latchkey.member(owner, roles.VIEWER)
    with pytest.raises(errors.Conflict, match="A member of this account has this address"):
        invite(owner, member.email)


def test_an_accepted_owner_is_counted(latchkey: TestApp) -> None:
    owner, grace = latchkey.account(), latchkey.account(email=ADDRESS)
    accept(invite(owner, role=roles.OWNER), grace.user)
    assert Account.get(owner.id, consistent_read=True).owners == 2


def test_the_service_user_can_invite(latchkey: TestApp) -> None:
    owner = latchkey.account()
    key = latchkey.key(latchkey.service(owner), "members").key
    manager = Manager(owner.id, roles.service_user_of(owner.id), roles.ADMIN, credential_id=key.id)
    made = invitations.invite(manager, email=ADDRESS, role=roles.VIEWER, networks=("n1",), base_url="")
    assert made.invitation.invited_by == roles.service_user_of(owner.id)
    assert invitations.open_link(made.link).invitation.invited_with == key.id


def test_one_account_cant_use_up_the_invitations_to_an_address(latchkey: TestApp) -> None:
    eve, owner = latchkey.account(name="Eve"), latchkey.account()
    for number in range(5):
        invite(eve, network=f"n{number}")
    for number in range(20):
        with pytest.raises(Rejected):
            invite(eve, network=f"m{number}")
    assert invite(owner, network="n99").invitation.email == ADDRESS


def test_an_address_is_invited_20_times_an_hour_by_all_accounts_together(latchkey: TestApp) -> None:
    accounts = [latchkey.account(name=f"Account{number}") for number in range(5)]
    for number in range(20):
        invite(accounts[number % 4], network=f"n{number}")
    with pytest.raises(Rejected):
        invite(accounts[4], network="n99")


def test_an_account_sends_50_invitations_an_hour(latchkey: TestApp) -> None:
    owner = latchkey.account()
    for number in range(50):
        invite(owner, f"user{number}@example.com", network=f"n{number}")
    with pytest.raises(Rejected):
        invite(owner, "one.more@example.com", network="n99")


def test_secrets_are_in_no_repr(latchkey: TestApp) -> None:
    invited = invite(latchkey.account())
    assert invited.link not in repr(invited)
    assert invited.link not in str(invited.invitation.attribute_values)
