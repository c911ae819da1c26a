"""Verification of a credential's user: a user who left the account or was deleted has no credential in it."""

from collections.abc import Callable
from contextlib import nullcontext

import pytest

from chalicelib.accounts import members, roles
from chalicelib.accounts.tables import Account, Member, User
from chalicelib.core import errors, telemetry
from chalicelib.credentials import scopes
from chalicelib.credentials.tables import Credential
from chalicelib.credentials.verify import verify
from tests.support.harness import START_MS, AccountOfTest, TestApp

ALL = scopes.ALL


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        (roles.OWNER, {"read", "write", "keys", "events", "webhooks", "members"}),
        (roles.ADMIN, {"read", "write", "keys", "events", "webhooks", "members"}),
        (roles.DEVELOPER, {"read", "write", "keys", "events"}),
        (roles.VIEWER, {"read", "events"}),
    ],
)
def test_rights_are_the_scopes_that_the_role_allows_now(latchkey: TestApp, role: str, allowed: set[str]) -> None:
    """A key that has every scope has only the rights of its user's role, from the next verification on."""
    member = latchkey.member(latchkey.account(), roles.OWNER)
    secret = latchkey.key(member, *ALL).secret
    assert verify(secret).scopes == set(scopes.ORDINARY)
    Member(member.id, member.user_id).update(actions=[Member.role.set(role)])
    principal = verify(secret)
    assert (principal.role, set(principal.scopes)) == (role, allowed)
    assert (principal.account_id, principal.user_id) == (member.id, member.user_id)


def test_admin_flag_is_that_of_the_user_and_not_of_a_colleague(latchkey: TestApp) -> None:
    """The scopes `admin` and `verify` need the flag of the key's own user, whatever the role in the account."""
    owner = latchkey.account(admin=True)
    member = latchkey.member(owner, roles.VIEWER)
    own, others = latchkey.key(owner, *ALL).secret, latchkey.key(member, *ALL).secret
    assert verify(own).scopes >= {"admin", "verify"}
    assert verify(others).scopes == {"read", "events"}
    User(member.user_id).update(actions=[User.admin.set(True)])
    assert verify(others).scopes == {"read", "events", "admin", "verify"}


ENDS: dict[str, Callable[[AccountOfTest], object]] = {
    "removed": lambda member: Member(member.id, member.user_id).delete(),
    "deleted user": lambda member: User(member.user_id).update(actions=[User.status.set("deleted")]),
    "missing user": lambda member: User(member.user_id).delete(),
    "suspended account": lambda member: Account(member.id).update(actions=[Account.status.set("suspended")]),
}


@pytest.mark.parametrize("end", ENDS)
def test_credential_of_a_departed_user_is_invalid(latchkey: TestApp, end: str) -> None:
    """The credential of a user who isn't an active member is invalid. The keys of other members stay valid."""
    owner = latchkey.account()
    member = latchkey.member(owner, roles.DEVELOPER)
    secret, others = latchkey.key(member).secret, latchkey.key(owner).secret
    assert verify(secret).role == "developer"
    ENDS[end](member)
    with pytest.raises(errors.InvalidApiKey):
        verify(secret)
    if end != "suspended account":
        assert verify(others).role == "owner"


def test_user_removed_from_one_account_keeps_the_keys_of_another(latchkey: TestApp) -> None:
    """A removal ends the user's credentials in that account only."""
    member = latchkey.member(latchkey.account(), roles.DEVELOPER)
    (own,) = [each for each in members.all_of(member.user) if each.account.id != member.id]
    secret, elsewhere = latchkey.key(member).secret, latchkey.key(AccountOfTest(own)).secret
    Member(member.id, member.user_id).delete()
    with pytest.raises(errors.InvalidApiKey):
        verify(secret)
    assert verify(elsewhere).account_id == own.account.id


@pytest.mark.parametrize(("later_ms", "works"), [(0, True), (1, False)])
@pytest.mark.parametrize("of", ["account", "user", "membership"])
def test_credential_from_before_a_first_verification_is_invalid(
    latchkey: TestApp, of: str, later_ms: int, works: bool
) -> None:
    """A credential is invalid if it is older than its account's or its user's `credentials_since`, or if its user's
    membership is older than the account's. One of the same millisecond is valid.
    """
    member = latchkey.member(latchkey.account(), roles.DEVELOPER)
    secret = latchkey.key(member).secret
    if of == "account":
        Account(member.id).update(actions=[Account.credentials_since.set(START_MS + later_ms)])
    elif of == "user":
        User(member.user_id).update(actions=[User.credentials_since.set(START_MS + later_ms)])
    else:
        Account(member.id).update(actions=[Account.credentials_since.set(START_MS)])
        Member(member.id, member.user_id).update(actions=[Member.since.set(START_MS - later_ms)])
    with nullcontext() if works else pytest.raises(errors.InvalidApiKey):
        verify(secret)


def test_other_users_first_verification_leaves_the_credential_valid(latchkey: TestApp) -> None:
    """The `credentials_since` of a colleague doesn't end the credentials of other users."""
    owner = latchkey.account()
    member = latchkey.member(owner, roles.DEVELOPER)
    User(member.user_id).update(actions=[User.credentials_since.set(START_MS + 1)])
    assert verify(latchkey.key(owner).secret).role == "owner"


@pytest.mark.parametrize(("kept", "role"), [(None, "admin"), ("developer", "developer"), ("viewer", "viewer")])
def test_service_user_acts_with_the_kept_role_or_as_admin(latchkey: TestApp, kept: str | None, role: str) -> None:
    """A credential of the service user has the role that it kept from its former user; otherwise it is that of an
    admin. It never has the scopes for administrators.
    """
    account = latchkey.account(admin=True)
    issued = latchkey.key(latchkey.service(account), *ALL)
    if kept is not None:
        issued.key.update(actions=[Credential.role.set(kept)])
    principal = verify(issued.secret)
    assert (principal.user_id, principal.role) == (roles.service_user_of(account.id), role)
    assert principal.scopes == scopes.OF_ROLE[role]


def test_service_user_of_another_account_has_no_rights(latchkey: TestApp) -> None:
    """A credential under the service user of another account is invalid: no such user exists."""
    account, other = latchkey.account(), latchkey.account()
    issued = latchkey.key(account)
    issued.key.update(actions=[Credential.user_id.set(roles.service_user_of(other.id)), Credential.role.set("owner")])
    with pytest.raises(errors.InvalidApiKey):
        verify(issued.secret)


def test_kept_role_of_a_members_key_has_no_effect(latchkey: TestApp) -> None:
    """The role on a credential counts only for the service user; a member has the role of the membership."""
    issued = latchkey.key(latchkey.member(latchkey.account(), roles.VIEWER), *ALL)
    issued.key.update(actions=[Credential.role.set("owner")])
    assert verify(issued.secret).role == "viewer"


@pytest.mark.parametrize("who", ["owner", "member", "service user", "removed member"])
def test_verification_takes_two_calls(latchkey: TestApp, who: str) -> None:
    """The verification of a key takes two calls for every kind of user."""
    owner = latchkey.account()
    member = latchkey.member(owner, roles.DEVELOPER)
    acting = {"owner": owner, "service user": latchkey.service(owner)}.get(who, member)
    secret = latchkey.key(acting).secret
    if who == "removed member":
        Member(member.id, member.user_id).delete()
    with (
        telemetry.record_calls() as calls,
        nullcontext() if who != "removed member" else pytest.raises(errors.InvalidApiKey),
    ):
        verify(secret)
    assert [operation for operation, _ in calls.made] == ["GetItem", "BatchGetItem"]
