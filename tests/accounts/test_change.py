"""Changes of an account's name, tier, status and admin flag."""

from collections.abc import Callable

import pytest

from chalicelib.accounts import change, find, invalidation
from chalicelib.accounts.tables import Account, User
from chalicelib.core import clock, errors, settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.events import actors, record
from chalicelib.limits.tiers import ENTERPRISE, PRO
from chalicelib.oauth import grants
from tests.oauth.flow import register_client
from tests.support.harness import TestApp
from tests.support.job_runs import stored_jobs


def test_rename_changes_only_the_name(latchkey: TestApp) -> None:
    """A rename writes the account and an event, and doesn't invalidate cached principals."""
    account = latchkey.account()
    with telemetry.record_calls() as calls:
        assert change.rename(account.id, "Ada B").name == "Ada B"
    assert calls.made == [("TransactWriteItems", ""), ("GetItem", "latchkey-test-accounts")]


def test_tier_and_status_change_separately_or_together(latchkey: TestApp) -> None:
    """A change with None for the tier or the status leaves that field unchanged."""
    account = latchkey.account()
    change.set_tier_and_status(account.id, tier=PRO, status=None, actor="test")
    change.set_tier_and_status(account.id, tier=None, status="suspended", actor="test")
    assert (found := find.account_by_id(account.id)).tier == "pro"
    assert found.status == "suspended"
    change.set_tier_and_status(account.id, tier=ENTERPRISE, status="active", actor="test")
    assert (found := find.account_by_id(account.id)).tier == "enterprise"
    assert found.status == "active"


@pytest.mark.parametrize("account_id", ["acc_00000000000000000000", "acc_nobody"])
def test_change_doesnt_create_a_missing_account_or_user(latchkey: TestApp, account_id: str) -> None:
    """A change of a deleted account or user doesn't create it again."""
    with pytest.raises(errors.NotFound):
        change.rename(account_id, "Ghost")
    with pytest.raises(errors.NotFound):
        change.rename_user(account_id.replace("acc_", "usr_"), "Ghost")
    with pytest.raises(errors.NotFound):
        change.set_tier_and_status(account_id, tier=PRO, status=None, actor="test")
    assert (Account.count(), User.count()) == (0, 0)


def test_change_with_a_lost_mark_raises_unavailable(latchkey: TestApp) -> None:
    """If the invalidation mark can't be set, the change is stored, and the error asks the caller to repeat it."""
    account = latchkey.account()
    dynamodb.call("DeleteTable", {"TableName": settings.current().table("windows")})
    with pytest.raises(errors.Unavailable, match="Repeat the request"):
        change.set_tier_and_status(account.id, tier=None, status="suspended", actor="test")
    assert find.account_by_id(account.id).status == "suspended"


def last_event(subject_id: str) -> tuple[str, dict[str, str], str, str | None]:
    """Return type, details, actor and reason of the latest event of an account or a user."""
    event = record.newest_first(subject_id, 1)[0]
    return event.type, event.changed.as_dict(), event.actor, event.reason


def test_each_change_is_recorded_with_its_fields_only(latchkey: TestApp) -> None:
    """The event of a change contains only the changed fields, the actor and the reason."""
    account = latchkey.account()
    change.rename(account.id, "Ada B")
    assert last_event(account.id) == ("account.renamed", {"name": "Ada B"}, "operator", None)
    for tier, status, changed in (
        (PRO, None, {"tier": "pro"}),
        (None, "suspended", {"status": "suspended"}),
        (ENTERPRISE, "active", {"tier": "enterprise", "status": "active"}),
    ):
        change.set_tier_and_status(account.id, tier=tier, status=status, actor="operator", reason="Because")
        assert last_event(account.id) == ("account.standing_changed", changed, "operator", "Because")
    for admin, word in ((True, "yes"), (False, "no")):
        change.set_admin(account.user_id, admin)
        assert last_event(account.user_id) == ("user.admin_changed", {"admin": word}, "operator", None)
        assert find.user_by_id(account.user_id).admin is admin
    change.rename_user(account.user_id, "Ada C")
    assert last_event(account.user_id) == ("user.renamed", {"name": "Ada C"}, "operator", None)
    assert (find.user_by_id(account.user_id).name, find.account_by_id(account.id).name) == ("Ada C", "Ada B")


@pytest.mark.parametrize(
    "deed",
    [
        lambda account_id: change.set_tier_and_status(account_id, tier=PRO, status=None, actor="operator"),
        lambda account_id: change.set_tier_and_status(account_id, tier=None, status="suspended", actor="operator"),
        lambda account_id: change.set_tier_and_status(account_id, tier=None, status="active", actor="operator"),
    ],
    ids=["tier", "suspended", "reinstated"],
)
def test_each_change_sets_the_mark(latchkey: TestApp, deed: Callable[[str], None]) -> None:
    """A change sets the invalidation mark, so that the change applies at the next request.

    A missing account raises NotFound.
    """
    account = latchkey.account()
    latchkey.clock.forward(1)
    deed(account.id)
    assert invalidation.is_marked(account.id, clock.now_ms())
    with pytest.raises(errors.NotFound, match="no such account"):
        deed("acc_00000000000000000000")
    assert Account.count() == 1


def test_admin_flag_sets_the_marks_of_all_accounts_of_the_user(latchkey: TestApp) -> None:
    """A change of a user's admin flag applies at the next request in each of their accounts.

    A missing user raises NotFound.
    """
    account = latchkey.account()
    member = latchkey.member(latchkey.account(name="Bea"), "viewer")
    latchkey.clock.forward(1)
    change.set_admin(member.user_id, True)
    own, other = sorted(User.get(member.user_id).account_ids or ())
    assert invalidation.is_marked(own, clock.now_ms())
    assert invalidation.is_marked(other, clock.now_ms())
    assert not invalidation.is_marked(account.id, clock.now_ms())
    with pytest.raises(errors.NotFound, match="no such user"):
        change.set_admin("usr_00000000000000000000", True)
    assert User.count() == 3


def test_own_account_cant_be_suspended(latchkey: TestApp) -> None:
    """Admins can't suspend an account to which they belong, but can change its tier, and can suspend other accounts."""
    admin, other = latchkey.account(admin=True), latchkey.account()
    with actors.act_as_administrator(admin.user_id, "Because"):
        with pytest.raises(errors.Conflict, match="Ask another administrator"):
            change.set_tier_and_status(admin.id, tier=PRO, status="suspended", actor=admin.user_id)
        with pytest.raises(errors.Conflict):
            change.check_is_other(admin.id)
        change.set_tier_and_status(admin.id, tier=PRO, status="active", actor=admin.user_id)
        change.set_tier_and_status(other.id, tier=None, status="suspended", actor=admin.user_id)
    stands = [find.account_by_id(each.id) for each in (admin, other)]
    assert [(each.tier, each.status) for each in stands] == [("pro", "active"), ("free", "suspended")]


def test_only_a_suspension_stores_a_job(latchkey: TestApp) -> None:
    """A suspension stores a job; a tier change or a reinstatement doesn't."""
    account = latchkey.account()
    change.set_tier_and_status(account.id, tier=PRO, status=None, actor="operator")
    change.set_tier_and_status(account.id, tier=None, status="active", actor="operator")
    assert stored_jobs() == []
    change.set_tier_and_status(account.id, tier=None, status="suspended", actor="operator")
    (job,) = stored_jobs()
    assert (job.kind, job.subject, job.began_at) == ("owner", account.id, clock.now_ms())


def test_suspension_marks_users_of_the_accounts_clients_in_the_request(latchkey: TestApp) -> None:
    """A suspension invalidates the cached principals of users of the account's OAuth clients before it returns."""
    owner, user = latchkey.account(name="Owner"), latchkey.account(name="User")
    app = register_client(latchkey, owner=owner)
    grants.new(user.id, user.user_id, app.id, scopes={"read"}, resources=set()).save()
    latchkey.clock.forward(1)
    change.set_tier_and_status(owner.id, tier=None, status="suspended", actor="operator")
    assert invalidation.is_marked(user.id, clock.now_ms())
    assert [each.step for each in stored_jobs()] == [app.id]
