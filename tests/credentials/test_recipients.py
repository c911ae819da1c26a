"""Who gets an email about a leaked or misused credential: its user, and the owners of its account."""

from pathlib import Path

import pytest

from chalicelib.accounts import roles
from chalicelib.accounts.tables import Account, Member, User
from chalicelib.credentials import recipients
from chalicelib.detection import leak_policy
from tests.detection.signing import alert, report
from tests.oauth.flow import new_user, register_client
from tests.support.harness import AccountOfTest, TestApp
from tests.support.mailbox import collect_emails


def told(latchkey: TestApp, member: AccountOfTest) -> list[str]:
    """Return the ids of the users who get an email about a key of a member, the key's user first."""
    return [user.id for user in recipients.of_credential(latchkey.key(member).key)]


def test_user_of_the_key_and_the_owners_are_told(latchkey: TestApp) -> None:
    """The user of a key is told first, then the owners. Other admins, developers and viewers aren't."""
    owner = latchkey.account()
    second = latchkey.member(owner, roles.OWNER, name="Olga")
    developer = latchkey.member(owner, roles.DEVELOPER)
    for role in (roles.ADMIN, roles.VIEWER):
        latchkey.member(owner, role, name=role)
    found = told(latchkey, developer)
    assert (found[0], set(found[1:])) == (developer.user_id, {owner.user_id, second.user_id})


def test_owner_is_told_once_about_their_own_key(latchkey: TestApp) -> None:
    """An owner gets one email about their own key."""
    owner = latchkey.account()
    assert told(latchkey, owner) == [owner.user_id]


def test_owners_are_told_about_keys_of_the_service_user(latchkey: TestApp) -> None:
    """The service user has no mailbox, so only the owners are told."""
    owner = latchkey.account()
    latchkey.member(owner, roles.ADMIN)
    assert told(latchkey, latchkey.service(owner)) == [owner.user_id]


@pytest.mark.parametrize("by", ["removal", "first verification"])
def test_departed_member_is_not_told(latchkey: TestApp, by: str) -> None:
    """A user who left the account learns nothing about a key that is left in it."""
    owner = latchkey.account()
    member = latchkey.member(owner, roles.DEVELOPER)
    key = latchkey.key(member).key
    if by == "removal":
        Member(member.id, member.user_id).delete()
        User(member.user_id).update(actions=[User.account_ids.delete({member.id})])
    else:
        latchkey.clock.forward(1)
        Account(owner.id).update(actions=[Account.credentials_since.set(latchkey.clock.now_ms)])
        Member(owner.id, owner.user_id).update(actions=[Member.since.set(latchkey.clock.now_ms)])
    assert [user.id for user in recipients.of_credential(key)] == [owner.user_id]


def test_nobody_is_told_about_a_deleted_account(latchkey: TestApp) -> None:
    """A key of a deleted account concerns nobody any more."""
    owner = latchkey.account()
    key = latchkey.key(owner).key
    owner.account.update(actions=[Account.listed.remove()])
    assert recipients.of_credential(key) == []


def test_ten_owners_are_told_at_most(latchkey: TestApp) -> None:
    """Of many owners ten are told, beside the key's user."""
    owner = latchkey.account()
    for number in range(11):
        latchkey.member(owner, roles.OWNER, name=f"Owner{number}")
    assert len(told(latchkey, latchkey.member(owner, roles.DEVELOPER))) == 1 + recipients.OWNERS_MAX


@pytest.mark.parametrize("what", ["key", "token"])
def test_leak_is_emailed_to_user_and_owner(latchkey: TestApp, tmp_path: Path, what: str) -> None:
    """The report of a leak reaches the user of the key or the token, and the owner of the account, once each."""
    if what == "key":
        owner = latchkey.account()
        member = latchkey.member(owner, roles.DEVELOPER)
        secret, expected = latchkey.key(member).secret, {member.email, owner.email}
    else:
        ada = new_user(latchkey)
        secret, expected = ada.grant(register_client(latchkey))[0], {ada.account.email}
    with collect_emails(tmp_path / "mail") as box:
        assert report(latchkey, alert(secret)).status == 200
        assert report(latchkey, alert(secret)).status == 200
        emails = box.take()
    assert {message.to for message in emails} == expected
    assert len(emails) == len(expected)


def test_action_of_the_policy_is_emailed_to_user_and_owner(latchkey: TestApp, tmp_path: Path) -> None:
    """If unusual activity revokes a developer's key, the developer and the owner are told."""
    owner = latchkey.account()
    member = latchkey.member(owner, roles.DEVELOPER)
    key = latchkey.key(member).key
    with collect_emails(tmp_path / "mail") as box:
        assert leak_policy.act(owner.id, key.id, policy="revoke", why="requests from a new network") == "revoked"
        emails = box.take()
    assert {message.to for message in emails} == {member.email, owner.email}
