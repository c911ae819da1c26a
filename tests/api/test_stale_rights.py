"""Rights that were verified before a change give nothing after it: demotions, removals and first verifications."""

import pytest

from chalicelib.accounts import (
    email_links,
    invalidation,
    invitation_acceptance,
    invitations,
    managers,
    member_roles,
    members,
    roles,
)
from chalicelib.accounts.tables import Account, Invitation, Member, User
from chalicelib.core import errors
from chalicelib.credentials.find import keys_of
from chalicelib.termination import member_removal
from tests.api.console.places import create_failed_delivery
from tests.support.console_client import log_in_as, new_account
from tests.support.harness import AccountOfTest, TestApp, error_of


@pytest.fixture
def lost_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function that is killed between a change and its marks."""
    monkeypatch.setattr(invalidation, "mark_account", lambda _: True)
    monkeypatch.setattr(invalidation, "mark_user", lambda _: True)


def co_owner(latchkey: TestApp, owner: AccountOfTest) -> AccountOfTest:
    member = latchkey.member(owner, roles.ADMIN, name="Eve")
    member_roles.change_role(owner.membership.manager, member.user_id, roles.OWNER)
    return AccountOfTest(members.find(User.get(member.user_id), owner.id))


@pytest.mark.usefixtures("lost_marks")
def test_a_demoted_owner_doesnt_promote_herself(latchkey: TestApp) -> None:
    owner = latchkey.account()
    eve = co_owner(latchkey, owner)
    secret = latchkey.key(eve, "members").secret
    path = f"/v1/members/{eve.membership.id}"
    assert latchkey.call("GET", path, secret).status == 200
    member_roles.change_role(owner.membership.manager, eve.user_id, roles.VIEWER)
    assert error_of(latchkey.call("PATCH", path, secret, json_body={"role": "owner"})) == (409, "conflict")
    assert Member.get(owner.id, eve.user_id).role == roles.VIEWER


@pytest.mark.usefixtures("lost_marks")
@pytest.mark.parametrize("what", ["invitation", "webhook", "key"])
def test_a_removed_admin_creates_nothing(latchkey: TestApp, what: str) -> None:
    owner = latchkey.account()
    admin = latchkey.member(owner, roles.ADMIN)
    secret = latchkey.key(admin, "read", "members", "webhooks", "keys").secret
    assert latchkey.call("GET", "/v1/limits", secret).status == 200
    member_removal.remove(owner.membership.manager, admin.user_id, member_removal.REVOKE)
    path, body = {
        "invitation": ("/v1/invitations", {"email": "eve@example.com", "role": "viewer"}),
        "webhook": ("/v1/webhooks", {"url": "https://example.com/", "name": "Hook"}),
        "key": ("/v1/keys", {"name": "Late", "scopes": ["read"]}),
    }[what]
    assert error_of(latchkey.call("POST", path, secret, json_body=body)) == (409, "conflict")


def test_who_was_verified_before_the_first_proof_manages_nothing_after_it(latchkey: TestApp) -> None:
    owner = latchkey.account()
    eve = co_owner(latchkey, owner)
    before = eve.membership.manager
    latchkey.clock.forward(1)
    Account(owner.id).update(actions=[Account.credentials_since.set(latchkey.clock.now_ms)])
    with pytest.raises(errors.Conflict):
        invitations.invite(before, email="x@example.com", role=roles.OWNER, networks=("n1",), base_url="")


@pytest.mark.parametrize("how", ["removed", "demoted"])
def test_an_invitation_ends_with_the_rights_of_who_sent_it(latchkey: TestApp, how: str) -> None:
    owner = latchkey.account()
    eve, mallory = co_owner(latchkey, owner), latchkey.account(name="Mallory")
    made = invitations.invite(
        eve.membership.manager, email=mallory.email, role=roles.OWNER, networks=("n1",), base_url=""
    )
    if how == "removed":
        member_removal.remove(owner.membership.manager, eve.user_id, member_removal.REVOKE)
    else:
        member_roles.change_role(owner.membership.manager, eve.user_id, roles.ADMIN)
    with pytest.raises(email_links.SpentLink):
        invitation_acceptance.accept(invitations.open_link(made.link), mallory.user)
    assert Account.get(owner.id).owners == 1


def test_an_admin_replaces_no_invitation_of_an_owner(latchkey: TestApp) -> None:
    owner = latchkey.account()
    admin = latchkey.member(owner, roles.ADMIN)
    sent = {"email": "new@example.com", "networks": ("n1",), "base_url": ""}
    made = invitations.invite(owner.membership.manager, role=roles.OWNER, **sent)  # type: ignore[arg-type]
    with pytest.raises(errors.Conflict):
        invitations.invite(admin.membership.manager, role=roles.VIEWER, **sent)  # type: ignore[arg-type]
    assert Invitation.get(owner.id, made.invitation.id).role == roles.OWNER
    assert not managers.may_give(admin.membership.manager, roles.OWNER)


def test_a_key_that_is_rotated_ends_with_the_user_who_got_its_secret(latchkey: TestApp) -> None:
    owner = latchkey.account()
    eve = latchkey.member(owner, roles.ADMIN, name="Eve")
    kept = latchkey.key(latchkey.service(owner), "read", "keys").key.id
    by_eve = latchkey.key(eve, "read", "keys").secret
    rotated = latchkey.call("POST", f"/v1/keys/{kept}/rotate", by_eve, json_body={}).json()["secret"]
    assert latchkey.call("GET", "/v1/limits", rotated).status == 200
    member_removal.remove(owner.membership.manager, eve.user_id, member_removal.REVOKE)
    assert latchkey.call("GET", "/v1/limits", rotated).status == 401
    assert {key.user_id for key in keys_of(owner.id)} == {roles.service_user_of(owner.id), eve.user_id}


@pytest.mark.parametrize("form", ["change", "test", "resend"])
def test_a_form_without_a_token_shows_no_page_above_the_role(latchkey: TestApp, form: str) -> None:
    owner = new_account()
    sent = create_failed_delivery(owner, "Secret ledger")
    path = f"/settings/webhooks/{sent.endpoint_id}"
    path += f"/deliveries/{sent.id}/resend" if form == "resend" else f"/{form}"
    for role in (roles.VIEWER, roles.DEVELOPER):
        page = log_in_as(latchkey, latchkey.member(owner, role, name=role)).send(path, {"account": owner.id})
        assert (page.status, "Secret ledger" in page.text) == (403, False)
    assert "Secret ledger" in log_in_as(latchkey, owner).send(path, {"account": owner.id}).text
