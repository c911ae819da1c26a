"""Removing a member, and leaving: the user's keys, tokens, sessions and consents in the account end."""

import pytest

from chalicelib.accounts import member_roles, members, roles
from chalicelib.accounts.tables import Account, Member, User
from chalicelib.core import errors
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb import models
from chalicelib.credentials.find import keys_of, owned_key
from chalicelib.credentials.issue import Issued
from chalicelib.events import kinds, record
from chalicelib.oauth import consent, grants
from chalicelib.oauth.tables import Consent, Grant
from chalicelib.termination import finish, member_removal
from chalicelib.termination.member_removal import MOVE, REVOKE
from tests.oauth.test_consents_stored import store_client
from tests.support.console_client import log_in_as, new_account
from tests.support.harness import AccountOfTest, TestApp, error_of
from tests.support.job_runs import run_jobs, stored_jobs

APP = "app_00000000000000000000"


def remove(by: AccountOfTest, member: AccountOfTest, keys: str = REVOKE) -> None:
    finish.run_first_batch(member_removal.remove(by.membership.manager, member.user_id, keys))


def join_again(account: AccountOfTest, member: AccountOfTest) -> None:
    user = User.get(member.user_id)
    with models.transaction() as write:
        members.add_to(write, members.new(account.id, user.id, roles.DEVELOPER), user)


def test_a_removed_member_s_key_is_refused_at_the_next_request(latchkey: TestApp) -> None:
    owner = latchkey.account()
    member = latchkey.member(owner, roles.DEVELOPER)
    issued = latchkey.key(member)
    assert latchkey.call("GET", "/v1/users/me", issued.secret).status == 200
    # Without any follow-up work:
    member_removal.remove(owner.membership.manager, member.user_id, REVOKE)
    assert error_of(latchkey.call("GET", "/v1/users/me", issued.secret)) == (401, "invalid_api_key")
    assert owner.id not in User.get(member.user_id).account_ids


def test_the_follow_up_revokes_the_keys(latchkey: TestApp) -> None:
    owner = latchkey.account()
    member = latchkey.member(owner, roles.DEVELOPER)
    issued, kept = latchkey.key(member), latchkey.key(owner)
    remove(owner, member)
    assert owned_key(owner.id, issued.key.id).state == "revoked"
    assert owned_key(owner.id, kept.key.id).state == "live"
    assert set(Account.get(owner.id).live_keys.attribute_values) == {kept.key.id}


@pytest.mark.parametrize("role", [roles.ADMIN, roles.DEVELOPER])
def test_moved_keys_keep_their_rights(latchkey: TestApp, role: str) -> None:
    owner = latchkey.account()
    member = latchkey.member(owner, role)
    secret = latchkey.key(member, "read", "keys", "webhooks").secret
    other = latchkey.key(owner).key.id
    before = [latchkey.call("GET", path, secret).status for path in ("/v1/keys", "/v1/webhooks")]
    remove(owner, member, MOVE)
    me = latchkey.call("GET", "/v1/users/me", secret).json()
    assert (me["id"], me["role"], me["email"]) == (roles.service_user_of(owner.id), role, None)
    assert [latchkey.call("GET", path, secret).status for path in ("/v1/keys", "/v1/webhooks")] == before
    expected = 204 if role == roles.ADMIN else 403
    assert latchkey.call("DELETE", f"/v1/keys/{other}", secret).status == expected


def test_keys_of_a_moved_key_keep_its_rights_too(latchkey: TestApp) -> None:
    owner = latchkey.account()
    member = latchkey.member(owner, roles.DEVELOPER)
    secret = latchkey.key(member, "read", "keys").secret
    remove(owner, member, MOVE)
    made = latchkey.call("POST", "/v1/keys", secret, json_body={"name": "Next", "scopes": ["read", "keys"]}).json()
    assert latchkey.call("GET", "/v1/users/me", made["secret"]).json()["role"] == roles.DEVELOPER
    own = next(key.id for key in keys_of(owner.id) if key.name == "Test key")
    rotated = latchkey.call("POST", f"/v1/keys/{own}/rotate", secret, json_body={}).json()
    assert latchkey.call("GET", "/v1/users/me", rotated["secret"]).json()["role"] == roles.DEVELOPER


def test_only_admins_can_choose_to_move_keys(latchkey: TestApp) -> None:
    member = latchkey.member(latchkey.account(), roles.DEVELOPER)
    with pytest.raises(errors.InsufficientRole, match="admin"):
        remove(member, member, MOVE)


def test_an_admin_who_is_demoted_meanwhile_keeps_no_keys(latchkey: TestApp) -> None:
    """A member who leaves has the choice about the keys of the present role, not of that which the request read."""
    owner = latchkey.account()
    admin = latchkey.member(owner, roles.ADMIN)
    stale = admin.membership.manager
    member_roles.change_role(owner.membership.manager, admin.user_id, roles.DEVELOPER)
    with pytest.raises(errors.Conflict, match="changed in the meantime"):
        member_removal.remove(stale, admin.user_id, MOVE)


def test_a_key_that_the_index_did_not_show_ends_too(latchkey: TestApp, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = latchkey.account()
    member = latchkey.member(owner, roles.DEVELOPER)
    issued = latchkey.key(member)
    with monkeypatch.context() as patch:
        patch.setattr(member_removal, "keys_of", lambda _: iter(()))
        pending = member_removal.remove(owner.membership.manager, member.user_id, MOVE)
    assert error_of(latchkey.call("GET", "/v1/users/me", issued.secret)) == (401, "invalid_api_key")
    finish.run_first_batch(pending)
    assert owned_key(owner.id, issued.key.id).user_id == roles.service_user_of(owner.id)


@pytest.mark.parametrize("keys", [REVOKE, MOVE])
def test_what_was_created_during_the_removal_ends_too(latchkey: TestApp, keys: str) -> None:
    """What another request creates after a removal began and before its transaction ends as the rest does."""
    owner = latchkey.account()
    member = latchkey.member(owner, roles.ADMIN)
    store_client(APP)
    sender, created = dynamodb.sender(), list[Issued]()

    def send_late(operation: str, request: dynamodb.Json) -> dynamodb.Json:
        if operation == "TransactWriteItems" and kinds.MEMBER_REMOVED in repr(request) and not created:
            with dynamodb.use_sender(sender):
                latchkey.clock.forward(0.01)
                created.append(latchkey.key(member))
                grants.new(owner.id, member.user_id, APP, scopes={"read"}, resources=set()).save()
                consent.remember(member.membership, APP, {"https://a.example  read"})
        return sender(operation, request)

    with dynamodb.use_sender(send_late):
        remove(owner, member, keys)
    late = owned_key(owner.id, created[0].key.id)
    assert (late.state, late.user_id) == (
        ("revoked", member.user_id) if keys == REVOKE else ("live", roles.service_user_of(owner.id))
    )
    assert [grant.revoked_at is None for grant in Grant.scan()] == [False]
    assert list(Consent.query(member.user_id)) == []


def test_what_was_created_after_joining_again_stays(latchkey: TestApp) -> None:
    """The follow-up of a removal ends nothing of a later membership."""
    owner = latchkey.account()
    member = latchkey.member(owner, roles.DEVELOPER)
    earlier = latchkey.key(member)
    pending = member_removal.remove(owner.membership.manager, member.user_id, REVOKE)
    latchkey.clock.forward(1)
    join_again(owner, member)
    later = latchkey.key(member)
    store_client(APP)
    grants.new(owner.id, member.user_id, APP, scopes={"read"}, resources=set()).save()
    consent.remember(members.find(User.get(member.user_id), owner.id), APP, {"https://a.example  read"})
    finish.run_first_batch(pending)
    assert [owned_key(owner.id, each.key.id).state for each in (earlier, later)] == ["revoked", "live"]
    assert [grant.revoked_at is None for grant in Grant.scan()] == [True]
    assert len(list(Consent.query(member.user_id))) == 1


def test_a_later_membership_s_keys_follow_its_own_removal(latchkey: TestApp) -> None:
    """The unfinished follow-up of a removal that moved keys doesn't move those of a later membership."""
    owner = latchkey.account()
    member = latchkey.member(owner, roles.DEVELOPER)
    first = member_removal.remove(owner.membership.manager, member.user_id, MOVE)
    latchkey.clock.forward(40)
    join_again(owner, member)
    later = latchkey.key(member)
    member_removal.remove(owner.membership.manager, member.user_id, REVOKE)
    finish.run_first_batch(first)
    assert owned_key(owner.id, later.key.id).state == "revoked"


def test_consents_and_grants_of_the_account_end_and_others_stay(latchkey: TestApp) -> None:
    owner = latchkey.account()
    member = latchkey.member(owner, roles.DEVELOPER)
    own = User.get(member.user_id).account_ids - {owner.id}
    (own_account,) = own
    store_client(APP)
    for account_id in (owner.id, own_account):
        membership = members.find(User.get(member.user_id), account_id)
        consent.remember(membership, APP, {"https://a.example  read"})
        grants.new(account_id, member.user_id, APP, scopes={"read"}, resources=set()).save()
    remove(owner, member)
    assert [each.account_id for each in Consent.query(member.user_id)] == [own_account]
    states = {grant.account_id: grant.revoked_at is None for grant in Grant.scan()}
    assert states == {owner.id: False, own_account: True}


def test_pages_of_the_account_are_closed_to_the_removed_member(latchkey: TestApp) -> None:
    owner = latchkey.account()
    member = latchkey.member(owner, roles.DEVELOPER)
    console = log_in_as(latchkey, member)
    page = console.open("/settings/keys/new")
    form = console.fill(page, "/settings/keys/new", {"name": "Late", "scopes": ["read"]})
    remove(owner, member)
    assert console.send("/settings/keys/new", form).status == 404
    assert [key.id for key in keys_of(owner.id)] == []


def test_a_key_from_an_earlier_membership_stays_invalid(latchkey: TestApp) -> None:
    owner = latchkey.account()
    member = latchkey.member(owner, roles.DEVELOPER)
    secret = latchkey.key(member).secret
    member_removal.remove(owner.membership.manager, member.user_id, REVOKE)
    latchkey.clock.forward(60)
    join_again(owner, member)
    assert error_of(latchkey.call("GET", "/v1/users/me", secret)) == (401, "invalid_api_key")


def test_keeping_keys_revives_none_of_an_earlier_membership(latchkey: TestApp) -> None:
    """A key whose revocation isn't finished isn't moved to the account at a later removal."""
    owner = latchkey.account()
    member = latchkey.member(owner, roles.DEVELOPER)
    earlier = latchkey.key(member)
    member_removal.remove(owner.membership.manager, member.user_id, REVOKE)
    latchkey.clock.forward(40)
    join_again(owner, member)
    latchkey.clock.forward(1)
    later = latchkey.key(member)
    remove(owner, member, MOVE)
    assert owned_key(owner.id, earlier.key.id).state == "revoked"
    assert latchkey.call("GET", "/v1/users/me", earlier.secret).status == 401
    assert latchkey.call("GET", "/v1/users/me", later.secret).status == 200


def test_keeping_keys_revives_none_from_before_the_first_verification(latchkey: TestApp) -> None:
    """A key that somebody else may have created under the member's address isn't moved, also by the follow-up."""
    owner = latchkey.account()
    member = latchkey.member(owner, roles.DEVELOPER)
    issued = latchkey.key(member)
    latchkey.clock.forward(20)
    User(member.user_id).update(actions=[User.credentials_since.set(latchkey.clock.now_ms)])
    pending = member_removal.remove(owner.membership.manager, member.user_id, MOVE)
    assert latchkey.call("GET", "/v1/users/me", issued.secret).status == 401
    finish.run_first_batch(pending)
    assert owned_key(owner.id, issued.key.id).state == "revoked"


def test_a_second_removal_leaves_the_first_one_s_follow_up(latchkey: TestApp) -> None:
    owner = latchkey.account()
    member = latchkey.member(owner, roles.DEVELOPER)
    member_removal.remove(owner.membership.manager, member.user_id, MOVE)
    latchkey.clock.forward(40)
    join_again(owner, member)
    member_removal.remove(owner.membership.manager, member.user_id, REVOKE)
    assert sorted(choice for job in stored_jobs() for choice in {MOVE, REVOKE} & set(job.chosen)) == [MOVE, REVOKE]
    latchkey.clock.forward(120)
    run_jobs()
    assert stored_jobs() == []


@pytest.mark.parametrize(
    ("own", "removed", "missing"),
    [
        (roles.ADMIN, roles.OWNER, roles.OWNER),
        (roles.ADMIN, roles.ADMIN, None),
        (roles.DEVELOPER, roles.VIEWER, roles.ADMIN),
        (roles.VIEWER, roles.DEVELOPER, roles.ADMIN),
    ],
)
def test_nobody_removes_above_their_own_role(latchkey: TestApp, own: str, removed: str, missing: str | None) -> None:
    owner = latchkey.account()
    acting = latchkey.member(owner, own, name="Acting")
    target = owner if removed == roles.OWNER else latchkey.member(owner, removed)
    if missing is None:
        remove(acting, target)
        assert owner.id not in User.get(target.user_id).account_ids
    else:
        with pytest.raises(errors.InsufficientRole, match=missing):
            remove(acting, target)


@pytest.mark.parametrize("role", [roles.ADMIN, roles.DEVELOPER, roles.VIEWER])
def test_every_member_can_leave_but_the_last_owner(latchkey: TestApp, role: str) -> None:
    owner = latchkey.account()
    member = latchkey.member(owner, role)
    remove(member, member)
    assert [each.user.id for each in members.of_account(owner.account)] == [owner.user_id]
    with pytest.raises(errors.Conflict, match="at least one owner"):
        remove(owner, owner)
    (event,) = record.newest_first(owner.id, 10, kind=kinds.MEMBER_REMOVED)
    assert event.changed.as_dict() == {"user": member.user_id, "role": role}


def test_the_events_of_a_removal_name_who_removed(latchkey: TestApp) -> None:
    """In the account, the revocation of the keys is the act of the user who removed the member, as is the removal."""
    owner = new_account()
    member = latchkey.member(owner, roles.DEVELOPER)
    latchkey.key(member)
    console = log_in_as(latchkey, owner)
    path = f"/settings/members/{member.user_id}"
    assert console.submit(f"{path}/remove", on=path, keys=REVOKE).status == 303
    events = record.newest_first(owner.id, 2)
    assert {each.type for each in events} == {kinds.KEY_REVOKED, kinds.MEMBER_REMOVED}
    assert {(each.user_id, each.source_ip) for each in events} == {(owner.user_id, console.ip)}


def test_removing_twice_is_not_found(latchkey: TestApp) -> None:
    owner = latchkey.account()
    member = latchkey.member(owner, roles.VIEWER)
    remove(owner, member)
    with pytest.raises(errors.NotFound):
        remove(owner, member)
    assert [each.user_id for each in Member.query(owner.id)] == [owner.user_id]
