"""The conditions on a creator's user and membership: a key is created only with rights that still exist."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from chalicelib.accounts import roles
from chalicelib.accounts.tables import Account, Member, User
from chalicelib.core import errors, settings
from chalicelib.credentials import find, revoke
from chalicelib.credentials.issue import Issued, issue_key
from chalicelib.credentials.principal import Principal
from chalicelib.credentials.rotate import rotate
from chalicelib.credentials.verify import verify
from tests.support.harness import START_MS, AccountOfTest, TestApp
from tests.support.interleaving import run_before


def make(creator: Principal, *wanted: str) -> Issued:
    """Create a key."""
    return issue_key(creator, name="Made", wanted=list(wanted) or ["read"], expires_in_s=None)


def of_session(principal: Principal, epoch: int = 0) -> Principal:
    """Return the principal of a console session of the same user."""
    return replace(principal, kind="session", credential_id="ses_1", session_epoch=epoch)


CHANGES: dict[str, tuple[Callable[[AccountOfTest], object], str]] = {
    "role raised": (
        lambda member: Member(member.id, member.user_id).update(actions=[Member.role.set("owner")]),
        "Your role in this account has changed",
    ),
    "role lowered": (
        lambda member: Member(member.id, member.user_id).update(actions=[Member.role.set("viewer")]),
        "Your role in this account has changed",
    ),
    "removed": (
        lambda member: Member(member.id, member.user_id).delete(),
        "Your role in this account has changed",
    ),
    "deleted": (
        lambda member: User(member.user_id).update(actions=[User.status.set("deleted")]),
        "has expired, or was revoked or rotated",
    ),
    "first verification": (
        lambda member: User(member.user_id).update(actions=[User.credentials_since.set(START_MS)]),
        "has expired, or was revoked or rotated",
    ),
}


@pytest.mark.parametrize("kind", ["key", "session"])
@pytest.mark.parametrize("change", CHANGES)
def test_user_who_changed_since_the_verification_creates_no_key(latchkey: TestApp, change: str, kind: str) -> None:
    """A member who was demoted, removed, deleted or verified between the verification and the write creates no key,
    neither with a key nor in the console.
    """
    member = latchkey.member(latchkey.account(), roles.DEVELOPER)
    creator = verify(latchkey.key(member).secret)
    creator = creator if kind == "key" else of_session(creator)
    happens, why = CHANGES[change]
    happens(member)
    with pytest.raises(errors.Conflict, match=why):
        make(creator)
    assert len(list(find.keys_of(member.id))) == 1


@pytest.mark.parametrize("change", ["role lowered", "removed"])
def test_change_between_the_check_and_the_write_is_noticed(latchkey: TestApp, change: str) -> None:
    """The membership is a condition of the write, so a change right before it is noticed; likewise for a rotation."""
    member = latchkey.member(latchkey.account(), roles.DEVELOPER)
    issued = latchkey.key(member)
    creator = verify(issued.secret)
    deeds: list[Callable[[], Issued]] = [lambda: make(creator), lambda: rotate(creator, issued.key.id, 60)]
    for deed in deeds:
        with (
            run_before("TransactWriteItems", lambda: CHANGES[change][0](member)),
            pytest.raises(errors.Conflict, match="Your role in this account has changed"),
        ):
            deed()
    assert [key.id for key in find.keys_of(member.id)] == [issued.key.id]
    assert list(Account.get(member.id).live_keys.as_dict()) == [issued.key.id]


def test_colleagues_change_doesnt_matter(latchkey: TestApp) -> None:
    """A change of another member doesn't prevent a user from creating keys."""
    owner = latchkey.account()
    creator = verify(latchkey.key(owner).secret)
    CHANGES["removed"][0](latchkey.member(owner, roles.DEVELOPER))
    assert make(creator).key.user_id == owner.user_id


def test_viewer_creates_no_key(latchkey: TestApp) -> None:
    """A viewer's key has no scope `keys`, although it was created with it, and gives a key no scope beyond its own."""
    viewer = latchkey.member(latchkey.account(), roles.VIEWER)
    secret = latchkey.key(viewer, "read", "write", "keys").secret
    response = latchkey.call("POST", "/v1/keys", secret, json_body={"name": "Mine", "scopes": ["read"]})
    assert (response.status, response.json()["error"]) == (403, "insufficient_scope")
    with pytest.raises(errors.InvalidRequest, match="doesn't have write"):
        make(verify(secret), "write")


@pytest.mark.parametrize(("epoch", "may"), [(0, True), (1, False)])
def test_session_creates_keys_until_its_end(latchkey: TestApp, epoch: int, may: bool) -> None:
    """A session whose user has ended all sessions creates no key; a key of the same user does."""
    owner = latchkey.account()
    creator = verify(latchkey.key(owner).secret)
    User(owner.user_id).update(actions=[User.session_epoch.set(epoch)])
    if may:
        make(of_session(creator))
    else:
        with pytest.raises(errors.Conflict, match="has expired, or was revoked or rotated"):
            make(of_session(creator))
    make(creator)


def test_address_of_the_creating_user_must_be_verified(latchkey: TestApp) -> None:
    """Where email is configured, the address of the user who creates the key counts, not that of the owner."""
    owner = latchkey.account()
    member = latchkey.member(owner, roles.ADMIN)
    creators = [verify(latchkey.key(each).secret) for each in (owner, member)]
    User(member.user_id).update(actions=[User.email_verified_at.remove()])
    with settings.override(replace(settings.current(), mail_from="keys@example.com")):
        make(creators[0])
        with pytest.raises(errors.Conflict, match="Confirm your email address first"):
            make(creators[1])
        # The rotation of a key gives no new access.
        old = latchkey.key(member)
        rotate(creators[1], old.key.id, 60)


def test_service_user_needs_neither_membership_nor_address(latchkey: TestApp) -> None:
    """A credential of the service user creates keys of the service user, which keep its role."""
    account = latchkey.account()
    issued = latchkey.key(latchkey.service(account))
    issued.key.role = "developer"
    issued.key.save()
    with settings.override(replace(settings.current(), mail_from="keys@example.com")):
        made = make(verify(issued.secret)).key
    assert (made.user_id, made.role) == (roles.service_user_of(account.id), "developer")
    revoke.revoke(account.id, issued.key.id)
    assert made.is_live()
