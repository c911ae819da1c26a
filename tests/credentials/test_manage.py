"""Who may change, rotate and revoke a key: below the role admin, only its own user."""

from collections.abc import Callable

import pytest

from chalicelib.accounts import roles
from chalicelib.core import errors
from chalicelib.credentials import change, find, revoke
from chalicelib.credentials.principal import Principal
from chalicelib.credentials.rotate import rotate
from chalicelib.credentials.tables import Credential
from chalicelib.credentials.verify import verify
from tests.support.harness import AccountOfTest, TestApp, error_of

DEEDS: dict[str, Callable[[Principal, Credential], object]] = {
    "rename": lambda by, key: change.change_key(key.account_id, key.id, name="Other", wanted=None, manager=by),
    "narrow": lambda by, key: change.change_key(key.account_id, key.id, name=None, wanted=["read"], manager=by),
    "policy": lambda by, key: change.change_key(
        key.account_id, key.id, name=None, wanted=None, on_anomaly="revoke", manager=by
    ),
    "rotate": lambda by, key: rotate(by, key.id, 60),
    "revoke": lambda by, key: revoke.revoke(key.account_id, key.id, by),
}
EACH = pytest.mark.parametrize("deed", DEEDS)


def acting(latchkey: TestApp, member: AccountOfTest) -> Principal:
    """Return the principal of a new key of a member."""
    return verify(latchkey.key(member).secret)


@EACH
@pytest.mark.parametrize(
    ("role", "may"), [(roles.OWNER, True), (roles.ADMIN, True), (roles.DEVELOPER, False), (roles.VIEWER, False)]
)
def test_key_of_another_user_is_managed_by_admins_only(latchkey: TestApp, deed: str, role: str, may: bool) -> None:
    """Owners and admins manage every key of the account; a member below admin no key of another user."""
    owner = latchkey.account()
    member = latchkey.member(owner, role)
    key, by = latchkey.key(owner).key, acting(latchkey, member)
    before = Credential.get(key.digest).serialize()
    if may:
        DEEDS[deed](by, key)
        assert Credential.get(key.digest).serialize() != before
        return
    with pytest.raises(errors.InsufficientRole, match="admin"):
        DEEDS[deed](by, key)
    assert Credential.get(key.digest).serialize() == before


@EACH
def test_own_key_is_managed_by_every_role(latchkey: TestApp, deed: str) -> None:
    """A developer manages their own keys."""
    developer = latchkey.member(latchkey.account(), roles.DEVELOPER)
    key = latchkey.key(developer).key
    before = Credential.get(key.digest).serialize()
    DEEDS[deed](acting(latchkey, developer), key)
    assert Credential.get(key.digest).serialize() != before


@EACH
def test_key_of_the_service_user_is_managed_by_admins_only(latchkey: TestApp, deed: str) -> None:
    """The keys of the account's service user belong to no member, so a developer can't manage them."""
    owner = latchkey.account()
    key = latchkey.key(latchkey.service(owner)).key
    with pytest.raises(errors.InsufficientRole):
        DEEDS[deed](acting(latchkey, latchkey.member(owner, roles.DEVELOPER)), key)
    DEEDS[deed](acting(latchkey, latchkey.member(owner, roles.ADMIN, name="Amy")), key)


@EACH
def test_key_of_another_account_is_not_found(latchkey: TestApp, deed: str) -> None:
    """An owner of one account can't see whether a key of another account exists, even that of a user of both."""
    owner, other = latchkey.account(), latchkey.account(name="Bea")
    key = latchkey.key(latchkey.member(other, roles.DEVELOPER)).key
    by = acting(latchkey, owner)
    elsewhere = Credential(key.digest, id=key.id, account_id=owner.id)
    with pytest.raises(errors.NotFound, match="no such key"):
        DEEDS[deed](by, elsewhere)


@pytest.mark.parametrize("of", ["owner", "service"])
def test_successor_belongs_to_the_user_who_rotates(latchkey: TestApp, of: str) -> None:
    """An admin who rotates a key of another user, or of the service user, gets the secret, so the successor is the
    admin's and ends when the admin leaves.
    """
    owner = latchkey.account()
    admin = latchkey.member(owner, roles.ADMIN)
    key = latchkey.key(owner if of == "owner" else latchkey.service(owner)).key
    if of == "service":
        key.update(actions=[Credential.role.set("developer")])
    successor = rotate(acting(latchkey, admin), key.id, 60).key
    assert [successor.user_id, successor.role] == [admin.user_id, None]
    assert find.owned_key(owner.id, key.id).user_id == key.user_id


def test_key_with_more_scopes_than_its_users_role_allows_is_narrowed_before_its_rotation(latchkey: TestApp) -> None:
    """A member who was demoted can rotate their own key once the scopes that the role no longer allows are removed, as
    the successor would have them again after a promotion.
    """
    developer = latchkey.member(latchkey.account(), roles.DEVELOPER)
    key = latchkey.key(developer, "read", "keys", "webhooks")
    by = verify(key.secret)
    with pytest.raises(errors.InsufficientScope, match="webhooks"):
        rotate(by, key.key.id, 0)
    change.change_key(by.account_id, key.key.id, name=None, wanted=["read", "keys"], manager=by)
    assert verify(rotate(by, key.key.id, 0).secret).scopes == {"read", "keys"}


@pytest.mark.parametrize("kept", ["developer", "admin", None])
def test_key_of_the_service_user_that_rotates_itself_keeps_its_role(latchkey: TestApp, kept: str | None) -> None:
    key = latchkey.key(latchkey.service(latchkey.account()))
    if kept is not None:
        key.key.update(actions=[Credential.role.set(kept)])
    by = verify(key.secret)
    successor = rotate(by, key.key.id, 60)
    assert (successor.key.user_id, verify(successor.secret).role) == (key.key.user_id, kept or "admin")


@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize(("kept", "may"), [("developer", True), ("admin", False), (None, False), ("owner", False)])
def test_key_with_a_kept_role_manages_no_key_with_a_higher_one(
    latchkey: TestApp, deed: str, kept: str | None, may: bool
) -> None:
    """The keys of departed users all belong to the service user. One that kept the role developer can't manage one with
    a higher role, and so can't get its rights.
    """
    service = latchkey.service(latchkey.account())
    issued, key = latchkey.key(service), latchkey.key(service).key
    issued.key.update(actions=[Credential.role.set("developer")])
    if kept is not None:
        key.update(actions=[Credential.role.set(kept)])
    if may:
        DEEDS[deed](verify(issued.secret), key)
    else:
        with pytest.raises(errors.InsufficientRole):
            DEEDS[deed](verify(issued.secret), key)


@pytest.mark.parametrize(("method", "path"), [("PATCH", ""), ("POST", "/rotate"), ("DELETE", "")])
def test_api_refuses_the_key_of_another_user_with_403(latchkey: TestApp, method: str, path: str) -> None:
    """A developer sees the keys of colleagues, and gets a 403 `insufficient_role` for changing one."""
    owner = latchkey.account()
    secret = latchkey.key(latchkey.member(owner, roles.DEVELOPER)).secret
    key = latchkey.key(owner).key
    assert latchkey.call("GET", f"/v1/keys/{key.id}", secret).status == 200
    body = {"name": "Mine now"} if method == "PATCH" else None
    response = latchkey.call(method, f"/v1/keys/{key.id}{path}", secret, json_body=body)
    assert error_of(response) == (403, "insufficient_role")
    assert find.owned_key(owner.id, key.id).state == "live"
