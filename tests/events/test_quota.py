"""Quota events are recorded once at 80 % and at 100 %, and a failure to record them never fails a request."""

import pytest

from chalicelib.core import settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.events import kinds, notable, quota, record
from chalicelib.limits import quota_thresholds as counts
from chalicelib.limits.tiers import FREE
from tests.support.harness import START_MS, TestApp

HOUR = START_MS // 1000
WRITES_EVENT = ("TransactWriteItems", "")


def recorded_types(account_id: str) -> list[str]:
    """Return the types of the recorded quota events, sorted, because ids within one millisecond have no order."""
    return sorted(event.type for event in record.since(account_id, "evt_") if event.type.startswith("quota."))


def test_80_and_100_percent_are_recorded_once_each(latchkey: TestApp) -> None:
    """The request that reaches a threshold records it; requests before and after it make a single database call."""
    account = latchkey.account()
    issued = latchkey.key(account)
    latchkey.call("GET", "/v1/limits", issued.secret)
    for used, calls_more in ((798, 0), (799, 1), (800, 0), (998, 0), (999, 1)):
        latchkey.set_counters(account.id, FREE, used=used, burst=0)
        with telemetry.record_calls() as calls:
            assert latchkey.call("GET", "/v1/limits", issued.secret).status == 200
        assert calls.made.count(WRITES_EVENT) == calls_more, used
    assert recorded_types(account.id) == [kinds.QUOTA_NEARLY_SPENT, kinds.QUOTA_SPENT]
    event = next(event for event in record.since(account.id, "evt_") if event.type == kinds.QUOTA_SPENT)
    assert record.render(event) | {"id": ""} == {
        "id": "",
        "type": "quota.spent",
        "created_at": "2021-12-20T10:00:00Z",
        "actor": issued.key.id,
        "user_id": None,
        "source_ip": "203.0.113.7",
        "changed": {"tier": "free", "used": "1000", "quota": "1000", "resets_at": "2021-12-20T11:00:00Z"},
        "reason": None,
    }


def test_thresholds_are_recorded_again_in_next_hour(latchkey: TestApp) -> None:
    """A threshold that is reached in two hours is recorded once in each hour."""
    account = latchkey.account()
    for hour in (HOUR, HOUR, HOUR + 3_600):
        quota.record_threshold(account.id, FREE, hour, counts.SPENT, used=1_000)
    assert recorded_types(account.id) == [kinds.QUOTA_SPENT] * 2


@pytest.mark.made_up_events
def test_concurrent_caller_that_loses_claim_records_nothing(latchkey: TestApp) -> None:
    """Of two concurrent callers one records the event, and the claim item is not an event."""
    account = latchkey.account()
    tries = [notable.record_once(account.id, kinds.QUOTA_SPENT, "1", {}) for _ in range(3)]
    assert tries == [True, False, False]
    assert recorded_types(account.id) == [kinds.QUOTA_SPENT]


def test_sweep_records_missing_events(latchkey: TestApp) -> None:
    """A sweep records both events, once, for an hour whose quota was used up without events."""
    account = latchkey.account()
    spent = {"used": {"N": "1000"}}
    assert [quota.sweep_account(account.id, FREE, HOUR, spent) for _ in range(2)] == [2, 0]
    assert recorded_types(account.id) == [kinds.QUOTA_NEARLY_SPENT, kinds.QUOTA_SPENT]
    assert quota.sweep_account(account.id, FREE, HOUR + 3_600, {"used": {"N": "799"}}) == 0


def test_request_succeeds_when_event_cannot_be_written(latchkey: TestApp) -> None:
    """If the event of a quota threshold can't be written, the request succeeds; the loss is logged and counted."""
    account = latchkey.account()
    secret = latchkey.key(account).secret
    latchkey.call("GET", "/v1/limits", secret)
    latchkey.set_counters(account.id, FREE, used=799)
    dynamodb.call("DeleteTable", {"TableName": settings.current().table("events")})
    assert latchkey.call("GET", "/v1/limits", secret).status == 200
