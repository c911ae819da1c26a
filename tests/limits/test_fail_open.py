"""Fail open: while the database is unavailable, requests are admitted, with one database call each second."""

import io

import pytest

from chalicelib.core import clock, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import Contended, DynamoDBError, Throttled, Unreachable
from chalicelib.core.process_cache import CACHES
from chalicelib.limits import fail_open
from chalicelib.limits.admission import Rejected, admit
from chalicelib.limits.tiers import ENTERPRISE, FREE, PRO, Tier
from tests.support.harness import START_MS, TestApp


def test_request_is_admitted_when_the_database_is_unavailable(cut_off: TestApp) -> None:
    """A request is admitted when the database is unavailable, and a metric counts it."""
    log = io.StringIO()
    telemetry.write_to(log)
    assert admit("acc_1", FREE).limit == 1000
    assert "LimiterUnavailable" in log.getvalue()


def test_one_request_a_second_waits_for_the_database(cut_off: TestApp) -> None:
    """After a failed call, requests are admitted for a second without a call."""
    admit("acc_1", FREE)
    with telemetry.record_calls() as calls:
        admit("acc_1", FREE)
        cut_off.clock.forward(0.999)
        admit("acc_2", FREE)
        assert calls.made == []
        cut_off.clock.forward(0.001)
        admit("acc_1", FREE)
    assert len(calls.made) == dynamodb.FAIL_FAST.unavailable


def test_clock_set_back_does_not_prolong_fail_open(cut_off: TestApp) -> None:
    """If the clock is set back, the next request calls the database again."""
    admit("acc_1", FREE)
    cut_off.clock.forward(-3600)
    with telemetry.record_calls() as calls:
        admit("acc_1", FREE)
    assert calls.made


@pytest.mark.parametrize(("after_ms", "lasts"), [(-1, False), (0, True), (999, True), (1_000, False)])
def test_fail_open_lasts_one_second(latchkey: TestApp, after_ms: int, lasts: bool) -> None:
    """Requests are admitted without a call for exactly one second after a failed call."""
    fail_open.start(START_MS)
    assert fail_open.is_active(START_MS + after_ms) is lasts
    CACHES["limits.fail_open"].clear()
    assert not fail_open.is_active(START_MS + after_ms)


def raise_unreachable(operation: str, body: dynamodb.Json) -> dynamodb.Json:
    """Raise the error of an unavailable database."""
    raise Unreachable("NoAnswer", "no answer", {})


@pytest.mark.parametrize("failure", [Unreachable, Contended])
@pytest.mark.parametrize("tier", [PRO, ENTERPRISE], ids=lambda tier: tier.name)
def test_fail_open_reports_the_cached_usage(latchkey: TestApp, tier: Tier, failure: type[DynamoDBError]) -> None:
    """The headers of a fail-open response report the cached quota and the full burst, with or without a call."""

    def fail(operation: str, body: dynamodb.Json) -> dynamodb.Json:
        raise failure("Failed", "no answer", {})

    for _ in range(2):
        admit("acc_1", tier)
    with dynamodb.use_sender(fail), clock.use_sleep(lambda _seconds: None):
        left = [admit("acc_1", tier) for _ in range(2)]
    assert [each.burst_left for each in left] == [tier.burst] * 2
    assert [each.quota_left for each in left] == [max(0, (tier.quota or 0) - 2)] * 2
    assert [each.crossed for each in left] == [(), ()]


def test_fail_open_starts_when_the_call_fails(latchkey: TestApp) -> None:
    """The second without calls starts when the failed call ends, because the timeout may be longer than a second."""

    def slow(operation: str, body: dynamodb.Json) -> dynamodb.Json:
        latchkey.clock.forward(2)
        return raise_unreachable(operation, body)

    with clock.use_sleep(lambda _seconds: None), telemetry.record_calls() as calls:
        with dynamodb.use_sender(slow):
            admit("acc_1", FREE)
        calls.made.clear()
        latchkey.clock.forward(0.999)
        admit("acc_1", FREE)
    assert calls.made == []


def test_throttled_counter_rejects_for_a_second(latchkey: TestApp) -> None:
    """Throttling is no outage: the request is rejected with an exhausted burst, and the next one calls the database
    again.
    """

    def throttled(operation: str, body: dynamodb.Json) -> dynamodb.Json:
        raise Throttled("ThrottlingException", "slow down", {})

    admit("acc_1", FREE)
    with dynamodb.use_sender(throttled), pytest.raises(Rejected) as rejection:
        admit("acc_1", FREE)
    assert (rejection.value.limit, rejection.value.retry_after_s) == ("throttled", 1)
    assert (rejection.value.left.quota_left, rejection.value.left.burst_left) == (999, 0)
    assert admit("acc_1", FREE).quota_left == 998
