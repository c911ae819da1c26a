"""Grants in DynamoDB: creating, listing and revoking grants, and the recorded events."""

from typing import Any

import pytest

from chalicelib.accounts import invalidation
from chalicelib.core import ids
from chalicelib.events import kinds
from chalicelib.oauth import grants
from chalicelib.oauth.tables import Grant
from tests.credentials.events import recorded_events
from tests.support.harness import START_MS, TestApp
from tests.support.interleaving import fail_marks

DAY_S = 86_400
APP, FILES = "app_" + "1" * 20, "https://files.example.com"


def test_grants_of_a_user_are_listed_per_account(latchkey: TestApp) -> None:
    """The list contains neither another user's grants, nor this user's grants for another account."""
    mine = store_grant("acc_0", user_id="usr_2")
    for account_id, user_id, revoked_at in (("acc_0", "usr_3", None), ("acc_1", "usr_2", None), ("acc_0", "usr_2", 1)):
        store_grant(account_id, user_id=user_id, revoked_at=revoked_at)
    assert [each.id for each in grants.of_user("usr_2", "acc_0")] == [mine.id]


def store_grant(account_id: str, client_id: str = APP, **more: Any) -> Grant:
    """Store a grant."""
    new = grants.new(account_id, "usr_1", client_id, scopes={"write", "read"}, resources=set())
    for name, value in more.items():
        setattr(new, name, value)
    new.save()
    return new


@pytest.mark.parametrize("resources", [set[str](), {FILES}])
def test_grant_is_valid_for_90_days_and_kept_for_30_more(latchkey: TestApp, resources: set[str]) -> None:
    """A grant has a random id, and its item has no resources attribute if it has no resources."""
    grant = grants.new("acc_1", "usr_1", APP, scopes={"read"}, resources=resources)
    assert (grant.account_id, grant.user_id, grant.client_id) == ("acc_1", "usr_1", APP)
    assert (grant.scopes, grant.created_at) == ({"read"}, START_MS)
    assert grant.expires_at == START_MS + 90 * DAY_S * 1000
    assert grant.dies_at == START_MS // 1000 + 120 * DAY_S
    assert (grant.attribute_values.get("resources") or set()) == resources
    assert grant.id != grants.new("acc_1", "usr_1", APP, scopes={"read"}, resources=resources).id


@pytest.mark.parametrize("kind", [None, kinds.REUSE_DETECTED])
def test_revocation_is_recorded_once_and_effective_at_the_next_request(latchkey: TestApp, kind: str | None) -> None:
    """A revocation invalidates cached policies at once. Revoking the grant again records no second event."""
    account = latchkey.account()
    grant = store_grant(account.id)
    for _ in range(2):
        assert grants.revoke(grant, kind) if kind else grants.revoke(grant)
        latchkey.clock.forward(1)
    assert Grant.get(grant.id).revoked_at == START_MS
    about = {"grant": grant.id, "application": APP, "scopes": "read write"}
    assert recorded_events(account.id) == [(kind or kinds.GRANT_REVOKED, about)]
    assert invalidation.is_marked(account.id, START_MS)


def test_revocation_returns_whether_caches_were_invalidated(latchkey: TestApp) -> None:
    """A grant is revoked even if cached policies can't be invalidated, and the return value shows this. A missing grant
    counts as revoked.
    """
    account = latchkey.account()
    grant = store_grant(account.id)
    with fail_marks():
        assert not grants.revoke_by_id(grant.id)
        assert grants.revoke_by_id(ids.new("gra"))
    assert Grant.get(grant.id).revoked_at == START_MS
    assert grants.revoke_by_id(grant.id, kinds.REUSE_DETECTED)
    assert [kind for kind, _ in recorded_events(account.id)] == [kinds.GRANT_REVOKED]


def test_unknown_grant_is_not_revoked(latchkey: TestApp) -> None:
    """Revoking an unknown grant creates no item."""
    account = latchkey.account()
    assert grants.revoke(grants.new(account.id, account.user_id, APP, scopes={"read"}, resources=set()))
    assert (list(Grant.scan()), recorded_events(account.id)) == ([], [])


def test_grants_are_listed_by_account_and_by_client(latchkey: TestApp) -> None:
    """An account's active grants and all grants of a client are listed oldest first. A list can start after a given
    id and has a limit.
    """
    new = []
    for number in range(3):
        new.append(store_grant(f"acc_{number % 2}").id)
        latchkey.clock.forward(1)
    store_grant("acc_0", "app_" + "2" * 20)
    revoked = store_grant("acc_0", revoked_at=START_MS)
    expired = store_grant("acc_0", expires_at=START_MS)
    assert [each.id for each in grants.all_of_client(APP, limit=9)] == [*new, revoked.id, expired.id]
    assert [each.id for each in grants.all_of_client(APP, after=new[0], limit=2)] == new[1:]
    assert [each.id for each in grants.of_account("acc_1")] == [new[1]]
    listed = [each.id for each in grants.of_account("acc_0")]
    assert listed[:2] == [new[0], new[2]]
    assert {revoked.id, expired.id}.isdisjoint(listed)
