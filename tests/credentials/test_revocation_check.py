"""Revocations and changes apply at the next request, although API Gateway caches the principal."""

from dataclasses import replace

import pytest

from chalicelib.accounts import change, invalidation
from chalicelib.core import errors, settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.credentials import change as key_change
from chalicelib.credentials import revoke
from chalicelib.credentials.principal import Principal
from chalicelib.credentials.revocation_check import admit_caller, newest_of
from chalicelib.credentials.rotate import rotate
from chalicelib.credentials.verify import verify
from chalicelib.limits import counter_items
from chalicelib.limits.tiers import FREE, PRO
from tests.support.harness import START_MS, TestApp
from tests.support.interleaving import run_before


class Caller:
    """A caller whose principal API Gateway has cached."""

    def __init__(self, latchkey: TestApp, *scopes: str) -> None:
        """Verify a new key of a new account, and admit one request."""
        self.account = latchkey.account()
        self.issued = latchkey.key(self.account, *scopes)
        self.cached = verify(self.issued.secret)
        self.call()

    def call(self) -> Principal:
        """Admit a request with the cached principal, and return the principal after the check for revocations."""
        principal, _ = admit_caller(self.cached, f"Bearer {self.issued.secret}")
        return principal


def test_unchanged_principal_is_not_verified_again(latchkey: TestApp) -> None:
    """Without an invalidation mark the cached principal is used without another verification."""
    caller = Caller(latchkey)
    with telemetry.record_calls() as calls:
        assert caller.call() == caller.cached
    assert [operation for operation, _ in calls.made] == ["UpdateItem"]


def test_revoked_key_is_rejected_at_the_next_request(latchkey: TestApp) -> None:
    """A revoked key is rejected at the next request, although API Gateway caches its principal."""
    caller = Caller(latchkey)
    revoke.revoke(caller.account.id, caller.issued.key.id)
    for _ in range(2):
        with pytest.raises(errors.InvalidApiKey):
            caller.call()


def test_removed_scope_is_missing_at_the_next_request(latchkey: TestApp) -> None:
    """After a scope was removed, the principal of the next request contains only the remaining scopes."""
    caller = Caller(latchkey)
    key_change.change_key(caller.account.id, caller.issued.key.id, name=None, wanted=["read"])
    assert caller.call().scopes == {"read"}


def test_new_tier_applies_at_the_next_request(latchkey: TestApp) -> None:
    """A new tier applies at the next request, with its full quota."""
    caller = Caller(latchkey)
    latchkey.set_counters(caller.account.id, FREE, used=1000)
    change.set_tier_and_status(caller.account.id, tier=PRO, status=None, actor="test")
    principal, left = admit_caller(caller.cached, f"Bearer {caller.issued.secret}")
    assert (principal.tier, left.quota_left) == (PRO, 9_999)


def test_suspension_and_reinstatement_apply_at_the_next_request(latchkey: TestApp) -> None:
    """A suspended account is rejected at the next request, and a reinstated account is admitted."""
    caller = Caller(latchkey)
    change.set_tier_and_status(caller.account.id, tier=None, status="suspended", actor="test")
    with pytest.raises(errors.InvalidApiKey):
        caller.call()
    change.set_tier_and_status(caller.account.id, tier=None, status="active", actor="test")
    assert caller.call().account_id == caller.account.id


def test_change_costs_one_verification(latchkey: TestApp) -> None:
    """After a change the principal is verified once and then cached in the process."""
    caller = Caller(latchkey)
    change.set_tier_and_status(caller.account.id, tier=PRO, status=None, actor="test")
    with telemetry.record_calls() as noticing:
        caller.call()
    with telemetry.record_calls() as afterwards:
        caller.call()
    assert [operation for operation, _ in noticing.made] == ["UpdateItem", "GetItem", "BatchGetItem", "UpdateItem"]
    assert [operation for operation, _ in afterwards.made] == ["UpdateItem"]


def test_change_of_one_key_leaves_the_others_valid(latchkey: TestApp) -> None:
    """After a change of one key, the account's other keys are verified again and stay valid."""
    caller = Caller(latchkey)
    other = latchkey.key(caller.account, "read")
    revoke.revoke(caller.account.id, other.key.id)
    assert caller.call().scopes == caller.cached.scopes


def test_new_process_finds_the_mark(latchkey: TestApp) -> None:
    """A new process, whose cache is empty, finds the invalidation mark on the counter item."""
    caller = Caller(latchkey)
    revoke.revoke(caller.account.id, caller.issued.key.id)
    latchkey.forget()
    with pytest.raises(errors.InvalidApiKey):
        caller.call()


def test_change_in_the_last_second_of_an_hour_is_found_in_the_next_hour(latchkey: TestApp) -> None:
    """A change in the last second of an hour also marks the counter item of the next hour."""
    latchkey.clock.forward(3_599)
    caller = Caller(latchkey)
    revoke.revoke(caller.account.id, caller.issued.key.id)
    latchkey.clock.forward(1)
    with pytest.raises(errors.InvalidApiKey):
        caller.call()


def test_change_by_a_slow_clock_is_found(latchkey: TestApp) -> None:
    """A revocation by a machine whose clock is 6 s behind invalidates an earlier verification."""
    caller = Caller(latchkey)
    latchkey.clock.forward(-6)
    revoke.revoke(caller.account.id, caller.issued.key.id)
    latchkey.clock.forward(6)
    with pytest.raises(errors.InvalidApiKey):
        caller.call()


def test_key_expires_after_a_grace_period_shorter_than_the_cache(latchkey: TestApp) -> None:
    """A rotated key stops working when its grace period ends, even if API Gateway still caches its principal."""
    caller = Caller(latchkey)
    rotate(verify(caller.issued.secret), caller.issued.key.id, 10)
    assert caller.call()
    latchkey.clock.forward(10)
    with pytest.raises(errors.TokenExpired):
        caller.call()


def test_cached_key_expires_without_a_read(latchkey: TestApp) -> None:
    """A cached key is rejected at its expiry without a read, because the cached principal contains the expiry."""
    account = latchkey.account()
    issued = latchkey.key(account, expires_in_s=60)
    cached = verify(issued.secret)
    latchkey.clock.forward(60)
    with telemetry.record_calls() as calls, pytest.raises(errors.TokenExpired):
        admit_caller(cached, f"Bearer {issued.secret}")
    assert calls.made == []


def test_latest_principal_is_used(latchkey: TestApp) -> None:
    """A process uses the principal that it verified itself, until API Gateway passes a later one."""
    caller = Caller(latchkey)
    key_change.change_key(caller.account.id, caller.issued.key.id, name=None, wanted=["read"])
    renewed = caller.call()
    assert newest_of(caller.cached) == renewed != caller.cached
    newer = replace(caller.cached, verified_at_ms=renewed.verified_at_ms + 1)
    assert newest_of(newer) == newer


def test_account_that_changes_faster_than_it_is_verified_is_unavailable(latchkey: TestApp) -> None:
    """A request whose account keeps changing during its verification is rejected as unavailable."""
    caller = Caller(latchkey)
    invalidation.mark_account(caller.account.id)
    marked = {
        "TableName": settings.current().table(counter_items.TABLE),
        "Key": counter_items.item_key(caller.account.id, FREE, START_MS // 1000),
        "UpdateExpression": "ADD stale_at :more",
        "ExpressionAttributeValues": {":more": {"N": "1"}},
    }
    with (
        run_before("UpdateItem", lambda: dynamodb.call("UpdateItem", marked), times=99),
        pytest.raises(errors.Unavailable, match="being changed too often"),
    ):
        caller.call()
