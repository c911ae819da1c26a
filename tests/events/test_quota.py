"""An account is told when 80 % of its quota is used and when all is: once each, and never at the price of an answer."""

import pytest

from chalicelib.core import settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.events import kinds, notable, quota, record
from chalicelib.limits import quota_thresholds as counts
from chalicelib.limits.tiers import FREE
from tests.support.harness import NOON_MS, TestApp

HOUR = NOON_MS // 1000
TELLS = ("TransactWriteItems", "")


def told(account_id: str) -> list[str]:
    """Return the types of what an account was told of its quota, by name: ids of one millisecond are in no order."""
    return sorted(event.type for event in record.since(account_id, "evt_") if event.type.startswith("quota."))


def test_80_percent_and_all_are_told_once_each(latchkey: TestApp) -> None:
    """The request that gets there tells; those before and after it cost one call."""
    account = latchkey.account()
    issued = latchkey.key(account)
    latchkey.call("GET", "/v1/limits", issued.secret)
    for used, calls_more in ((798, 0), (799, 1), (800, 0), (998, 0), (999, 1)):
        latchkey.counted(account.id, FREE, used=used, burst=0)
        with telemetry.calls_watched() as calls:
            assert latchkey.call("GET", "/v1/limits", issued.secret).status == 200
        assert calls.made.count(TELLS) == calls_more, used
    assert told(account.id) == [kinds.QUOTA_NEARLY_SPENT, kinds.QUOTA_SPENT]
    event = next(event for event in record.since(account.id, "evt_") if event.type == kinds.QUOTA_SPENT)
    assert record.shown(event) | {"id": ""} == {
        "id": "",
        "type": "quota.spent",
        "created_at": "2021-12-20T10:00:00Z",
        "actor": issued.key.id,
        "source_ip": "203.0.113.7",
        "changed": {"tier": "free", "used": "1000", "quota": "1000", "resets_at": "2021-12-20T11:00:00Z"},
        "reason": None,
    }


def test_next_hour_is_told_anew(latchkey: TestApp) -> None:
    """Once an hour, not once for ever."""
    account = latchkey.account()
    for hour in (HOUR, HOUR, HOUR + 3_600):
        quota.tell(account.id, FREE, hour, counts.SPENT, used=1_000)
    assert told(account.id) == [kinds.QUOTA_SPENT] * 2


@pytest.mark.made_up_events
def test_who_loses_the_claim_tells_nothing(latchkey: TestApp) -> None:
    """Of two that notice the same, one tells; the claim is no event."""
    account = latchkey.account()
    tries = [notable.record_once(account.id, kinds.QUOTA_SPENT, "1", {}) for _ in range(3)]
    assert tries == [True, False, False]
    assert told(account.id) == [kinds.QUOTA_SPENT]


def test_sweep_tells_what_is_missing(latchkey: TestApp) -> None:
    """An hour whose quota was spent and of which nothing was told gets both, and once."""
    account = latchkey.account()
    spent = {"used": {"N": "1000"}}
    assert [quota.sweep_account(account.id, FREE, HOUR, spent) for _ in range(2)] == [2, 0]
    assert told(account.id) == [kinds.QUOTA_NEARLY_SPENT, kinds.QUOTA_SPENT]
    assert quota.sweep_account(account.id, FREE, HOUR + 3_600, {"used": {"N": "799"}}) == 0


def test_event_that_cant_be_written_fails_no_request(latchkey: TestApp) -> None:
    """The request was admitted: it is answered, and the loss is logged and counted."""
    account = latchkey.account()
    secret = latchkey.key(account).secret
    latchkey.call("GET", "/v1/limits", secret)
    latchkey.counted(account.id, FREE, used=799)
    dynamodb.call("DeleteTable", {"TableName": settings.current().table("events")})
    assert latchkey.call("GET", "/v1/limits", secret).status == 200
