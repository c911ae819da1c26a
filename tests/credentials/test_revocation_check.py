"""No cached verdict outlives a change: what holds is what is true at this request."""

from collections import OrderedDict
from dataclasses import replace

import pytest

from chalicelib.accounts import change
from chalicelib.core import errors, settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.credentials import change as key_change
from chalicelib.credentials import revoke
from chalicelib.credentials.principal import Principal
from chalicelib.credentials.revocation_check import add_to_cache, admit_caller, newest_of
from chalicelib.credentials.rotate import rotate
from chalicelib.credentials.verify import verify
from chalicelib.limits import counter_items, stale_marks
from chalicelib.limits.tiers import FREE, PRO
from tests.support.harness import NOON_MS, TestApp
from tests.support.interleaving import before


class Caller:
    """A caller whose verdict the gateway has cached."""

    def __init__(self, latchkey: TestApp, *scopes: str) -> None:
        """Verify a new key of a new account, and be admitted once."""
        self.account = latchkey.account()
        self.issued = latchkey.key(self.account, *scopes)
        self.cached = verify(self.issued.secret)
        self.call()

    def call(self) -> Principal:
        """Be admitted under the cached verdict; return the one that holds."""
        principal, _ = admit_caller(self.cached, f"Bearer {self.issued.secret}")
        return principal


def test_unchanged_verdict_holds(latchkey: TestApp) -> None:
    """While nothing changes nothing is verified again."""
    caller = Caller(latchkey)
    with telemetry.calls_watched() as calls:
        assert caller.call() == caller.cached
    assert [operation for operation, _ in calls.made] == ["UpdateItem"]


def test_revoked_key_is_refused_at_the_next_request(latchkey: TestApp) -> None:
    """The gateway still says yes; we don't."""
    caller = Caller(latchkey)
    revoke.revoke(caller.account.id, caller.issued.key.id)
    for _ in range(2):
        with pytest.raises(errors.InvalidApiKey):
            caller.call()


def test_narrowed_key_may_less_at_the_next_request(latchkey: TestApp) -> None:
    """The scopes that hold are the narrow ones."""
    caller = Caller(latchkey)
    key_change.change_key(caller.account.id, caller.issued.key.id, name=None, wanted=["read"])
    assert caller.call().scopes == {"read"}


def test_new_tier_holds_at_the_next_request(latchkey: TestApp) -> None:
    """An upgraded account is admitted under its new quota, which is full."""
    caller = Caller(latchkey)
    latchkey.counted(caller.account.id, FREE, used=1000)
    change.set_standing(caller.account.id, tier=PRO, status=None, actor="test")
    principal, left = admit_caller(caller.cached, f"Bearer {caller.issued.secret}")
    assert (principal.tier, left.quota_left) == (PRO, 9_999)


def test_suspended_account_is_refused_and_a_reinstated_one_works(latchkey: TestApp) -> None:
    """Both are felt at the next request."""
    caller = Caller(latchkey)
    change.set_standing(caller.account.id, tier=None, status="suspended", actor="test")
    with pytest.raises(errors.InvalidApiKey):
        caller.call()
    change.set_standing(caller.account.id, tier=None, status="active", actor="test")
    assert caller.call().account_id == caller.account.id


def test_change_costs_one_verification_and_no_more(latchkey: TestApp) -> None:
    """After the first request that notices, the process remembers what it verified."""
    caller = Caller(latchkey)
    change.set_standing(caller.account.id, tier=PRO, status=None, actor="test")
    with telemetry.calls_watched() as noticing:
        caller.call()
    with telemetry.calls_watched() as afterwards:
        caller.call()
    assert [operation for operation, _ in noticing.made] == ["UpdateItem", "GetItem", "GetItem", "UpdateItem"]
    assert [operation for operation, _ in afterwards.made] == ["UpdateItem"]


def test_change_of_one_key_leaves_the_others_as_they_are(latchkey: TestApp) -> None:
    """All of an account's callers are verified again, and nothing else happens to them."""
    caller = Caller(latchkey)
    other = latchkey.key(caller.account, "read")
    revoke.revoke(caller.account.id, other.key.id)
    assert caller.call().scopes == caller.cached.scopes


def test_process_that_started_after_the_change_notices_too(latchkey: TestApp) -> None:
    """A cold start remembers nothing and is told by the counter itself."""
    caller = Caller(latchkey)
    revoke.revoke(caller.account.id, caller.issued.key.id)
    latchkey.forget()
    with pytest.raises(errors.InvalidApiKey):
        caller.call()


def test_change_in_the_last_second_of_an_hour_is_noticed_in_the_next(latchkey: TestApp) -> None:
    """The next hour's counter carries the mark too."""
    latchkey.clock.forward(3_599)
    caller = Caller(latchkey)
    revoke.revoke(caller.account.id, caller.issued.key.id)
    latchkey.clock.forward(1)
    with pytest.raises(errors.InvalidApiKey):
        caller.call()


def test_change_that_a_slow_clock_stamps_is_noticed(latchkey: TestApp) -> None:
    """A change made by a function whose clock is behind is newer than a verification by a faster one."""
    caller = Caller(latchkey)
    latchkey.clock.forward(-6)
    revoke.revoke(caller.account.id, caller.issued.key.id)
    latchkey.clock.forward(6)
    with pytest.raises(errors.InvalidApiKey):
        caller.call()


def test_key_ends_with_a_grace_that_is_shorter_than_the_gateways_memory(latchkey: TestApp) -> None:
    """A rotated key is over when its grace is, also where it was verified again within it."""
    caller = Caller(latchkey)
    rotate(verify(caller.issued.secret), caller.issued.key.id, 10)
    assert caller.call()
    latchkey.clock.forward(10)
    with pytest.raises(errors.TokenExpired):
        caller.call()


def test_key_ends_at_its_expiry_though_the_gateway_remembers_it(latchkey: TestApp) -> None:
    """The verdict carries the end, so no read is needed to know it is over."""
    account = latchkey.account()
    issued = latchkey.key(account, expires_in_s=60)
    cached = verify(issued.secret)
    latchkey.clock.forward(60)
    with telemetry.calls_watched() as calls, pytest.raises(errors.TokenExpired):
        admit_caller(cached, f"Bearer {issued.secret}")
    assert calls.made == []


def test_newest_verdict_holds(latchkey: TestApp) -> None:
    """What this process verified anew, until the gateway hands in one that is newer still."""
    caller = Caller(latchkey)
    key_change.change_key(caller.account.id, caller.issued.key.id, name=None, wanted=["read"])
    renewed = caller.call()
    assert newest_of(caller.cached) == renewed != caller.cached
    newer = replace(caller.cached, verified_at_ms=renewed.verified_at_ms + 1)
    assert newest_of(newer) == newer


def test_account_that_changes_faster_than_it_can_be_verified_is_told_to_come_again(latchkey: TestApp) -> None:
    """Rather than being admitted under what was true a moment ago."""
    caller = Caller(latchkey)
    stale_marks.mark(caller.account.id)
    marked = {
        "TableName": settings.current().table(counter_items.TABLE),
        "Key": counter_items.item_key(caller.account.id, FREE, NOON_MS // 1000),
        "UpdateExpression": "ADD stale_at :more",
        "ExpressionAttributeValues": {":more": {"N": "1"}},
    }
    with (
        before("UpdateItem", lambda: dynamodb.call("UpdateItem", marked), times=99),
        pytest.raises(errors.Unavailable, match="being changed too often"),
    ):
        caller.call()


def test_of_too_many_verdicts_the_first_is_forgotten(latchkey: TestApp) -> None:
    """The last ones are kept."""
    principal, kept = verify(latchkey.key(latchkey.account()).secret), OrderedDict[int, Principal]()
    for number in range(4):
        add_to_cache(kept, number, principal, most=2)
    assert list(kept) == [2, 3]
