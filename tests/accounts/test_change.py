"""Changes of an account's name, tier, status and admin flag."""

from collections.abc import Callable

import pytest

from chalicelib.accounts import change, find, pending_terminations
from chalicelib.accounts.tables import Account
from chalicelib.core import clock, errors, settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.events import actors, record
from chalicelib.limits import stale_marks
from chalicelib.limits.tiers import ENTERPRISE, PRO
from chalicelib.oauth import grants
from tests.oauth.flow import register_client
from tests.support.harness import TestApp


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


def test_suspension_ends_console_sessions_permanently(latchkey: TestApp) -> None:
    """After a suspended account is reinstated, its user must log in again."""
    account = latchkey.account()
    epochs = []
    for status in ("suspended", "active", "suspended"):
        change.set_tier_and_status(account.id, tier=None, status=status, actor="test")
        epochs.append(find.account_by_id(account.id).session_epoch)
    assert epochs == [1, 1, 2]


@pytest.mark.parametrize("account_id", ["acc_00000000000000000000", "nobody"])
def test_change_doesnt_create_a_missing_account(latchkey: TestApp, account_id: str) -> None:
    """A change of a deleted account doesn't create the account again."""
    with pytest.raises(errors.NotFound):
        change.rename(account_id, "Ghost")
    with pytest.raises(errors.NotFound):
        change.set_tier_and_status(account_id, tier=PRO, status=None, actor="test")
    assert Account.count() == 0


def test_change_with_a_lost_mark_raises_unavailable(latchkey: TestApp) -> None:
    """If the invalidation mark can't be set, the change is stored, and the error asks the caller to repeat it."""
    account = latchkey.account()
    dynamodb.call("DeleteTable", {"TableName": settings.current().table("windows")})
    with pytest.raises(errors.Unavailable, match="Repeat the request"):
        change.set_tier_and_status(account.id, tier=None, status="suspended", actor="test")
    assert find.account_by_id(account.id).status == "suspended"


def last_event(account: Account) -> tuple[str, dict[str, str], str, str | None]:
    """Return type, details, actor and reason of an account's latest event."""
    event = record.newest_first(account.id, 1)[0]
    return event.type, event.changed.as_dict(), event.actor, event.reason


def test_each_change_is_recorded_with_its_fields_only(latchkey: TestApp) -> None:
    """The event of a change contains only the changed fields, the actor and the reason."""
    account = latchkey.account()
    change.rename(account.id, "Ada B")
    assert last_event(account) == ("account.renamed", {"name": "Ada B"}, "operator", None)
    for tier, status, changed in (
        (PRO, None, {"tier": "pro"}),
        (None, "suspended", {"status": "suspended"}),
        (ENTERPRISE, "active", {"tier": "enterprise", "status": "active"}),
    ):
        change.set_tier_and_status(account.id, tier=tier, status=status, actor="operator", reason="Because")
        assert last_event(account) == ("account.standing_changed", changed, "operator", "Because")
    for admin, word in ((True, "yes"), (False, "no")):
        change.set_admin(account.id, admin)
        assert last_event(account) == ("account.standing_changed", {"admin": word}, "operator", None)
        assert find.account_by_id(account.id).admin is admin


@pytest.mark.parametrize(
    "deed",
    [
        lambda account_id: change.set_tier_and_status(account_id, tier=PRO, status=None, actor="operator"),
        lambda account_id: change.set_tier_and_status(account_id, tier=None, status="suspended", actor="operator"),
        lambda account_id: change.set_tier_and_status(account_id, tier=None, status="active", actor="operator"),
        lambda account_id: change.set_admin(account_id, True),
    ],
    ids=["tier", "suspended", "reinstated", "admin"],
)
def test_each_change_sets_the_mark(latchkey: TestApp, deed: Callable[[str], None]) -> None:
    """A change sets the invalidation mark, so that the change applies at the next request.

    A missing account raises NotFound.
    """
    account = latchkey.account()
    latchkey.clock.forward(1)
    deed(account.id)
    assert stale_marks.is_marked(account.id, clock.now_ms())
    with pytest.raises(errors.NotFound, match="no such user"):
        deed("acc_00000000000000000000")
    assert Account.count() == 1


def test_own_account_cant_be_suspended(latchkey: TestApp) -> None:
    """Admins can't suspend their own account, but can change its tier, and can suspend other accounts."""
    admin, other = latchkey.account(admin=True), latchkey.account()
    with actors.act_as_administrator(admin.id, "Because"):
        with pytest.raises(errors.Conflict, match="Ask another administrator"):
            change.set_tier_and_status(admin.id, tier=PRO, status="suspended", actor=admin.id)
        with pytest.raises(errors.Conflict):
            change.check_is_other(admin.id)
        change.set_tier_and_status(admin.id, tier=PRO, status="active", actor=admin.id)
        change.set_tier_and_status(other.id, tier=None, status="suspended", actor=admin.id)
    stands = [find.account_by_id(each.id) for each in (admin, other)]
    assert [(each.tier, each.status) for each in stands] == [("pro", "active"), ("free", "suspended")]


def test_only_a_suspension_stores_a_pending_termination(latchkey: TestApp) -> None:
    """A suspension stores a pending termination; a tier change or a reinstatement doesn't."""
    account = latchkey.account()
    change.set_tier_and_status(account.id, tier=PRO, status=None, actor="operator")
    change.set_tier_and_status(account.id, tier=None, status="active", actor="operator")
    assert list(pending_terminations.all_pending()) == []
    change.set_tier_and_status(account.id, tier=None, status="suspended", actor="operator")
    (pending,) = pending_terminations.all_pending()
    assert (pending.kind, pending.subject, pending.began_at) == ("owner", account.id, clock.now_ms())


def test_suspension_marks_users_of_the_accounts_clients_in_the_request(latchkey: TestApp) -> None:
    """A suspension invalidates the cached principals of users of the account's OAuth clients before it returns."""
    owner, user = latchkey.account(name="Owner"), latchkey.account(name="User")
    app = register_client(latchkey, owner=owner)
    grants.new(user.id, app.id, scopes={"read"}, resources=set()).save()
    latchkey.clock.forward(1)
    change.set_tier_and_status(owner.id, tier=None, status="suspended", actor="operator")
    assert stale_marks.is_marked(user.id, clock.now_ms())
    assert [each.step for each in pending_terminations.all_pending()] == [app.id]
