"""A limiter outage is no API outage: while the database can't be reached, requests pass, a call a second."""

import io

import pytest

from chalicelib.core import clock, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import Contended, Throttled, Unreachable, WireError
from chalicelib.limits import fail_open
from chalicelib.limits.admission import Refused, admit
from chalicelib.limits.tiers import ENTERPRISE, FREE, PRO, Tier
from tests.support.harness import START_MS, TestApp


def test_request_passes_when_the_database_cannot_be_reached(cut_off: TestApp) -> None:
    """The request is let through, and the operator hears of it by a metric."""
    log = io.StringIO()
    telemetry.write_to(log)
    assert admit("acc_1", FREE).limit == 1000
    assert "LimiterUnavailable" in log.getvalue()


def test_only_one_request_a_second_waits_for_the_database(cut_off: TestApp) -> None:
    """After a call without an answer the others pass unasked until a second is over."""
    admit("acc_1", FREE)
    with telemetry.calls_watched() as calls:
        admit("acc_1", FREE)
        cut_off.clock.forward(0.999)
        admit("acc_2", FREE)
        assert calls.made == []
        cut_off.clock.forward(0.001)
        admit("acc_1", FREE)
    assert len(calls.made) == dynamodb.AT_ONCE.unavailable


def test_clock_set_back_prolongs_no_outage(cut_off: TestApp) -> None:
    """When the clock jumps back the database is asked again at once."""
    admit("acc_1", FREE)
    cut_off.clock.forward(-3600)
    with telemetry.calls_watched() as calls:
        admit("acc_1", FREE)
    assert calls.made


@pytest.mark.parametrize(("after_ms", "lasts"), [(-1, False), (0, True), (999, True), (1_000, False)])
def test_outage_lasts_one_second(latchkey: TestApp, after_ms: int, lasts: bool) -> None:
    """From the moment in which it was noticed."""
    fail_open.begins(START_MS)
    assert fail_open.lasts(START_MS + after_ms) is lasts
    fail_open.forget()
    assert not fail_open.lasts(START_MS + after_ms)


def unreachable(operation: str, body: dynamodb.Json) -> dynamodb.Json:
    """Answer a call as a database that is away."""
    raise Unreachable("NoAnswer", "no answer", {})


@pytest.mark.parametrize("failure", [Unreachable, Contended])
@pytest.mark.parametrize("tier", [PRO, ENTERPRISE], ids=lambda tier: tier.name)
def test_request_that_passes_unasked_shows_what_this_process_knew(
    latchkey: TestApp, tier: Tier, failure: type[WireError]
) -> None:
    """The quota as it was last seen and the whole burst, with the call that failed and without any."""

    def fail(operation: str, body: dynamodb.Json) -> dynamodb.Json:
        raise failure("Failed", "no answer", {})

    for _ in range(2):
        admit("acc_1", tier)
    with dynamodb.sent_by(fail), clock.paused_by(lambda _seconds: None):
        left = [admit("acc_1", tier) for _ in range(2)]
    assert [each.burst_left for each in left] == [tier.burst] * 2
    assert [each.quota_left for each in left] == [max(0, (tier.quota or 0) - 2)] * 2
    assert [each.crossed for each in left] == [(), ()]


def test_outage_begins_when_the_call_has_failed(latchkey: TestApp) -> None:
    """Waiting for an answer may take longer than the second that follows."""

    def slow(operation: str, body: dynamodb.Json) -> dynamodb.Json:
        latchkey.clock.forward(2)
        return unreachable(operation, body)

    with clock.paused_by(lambda _seconds: None), telemetry.calls_watched() as calls:
        with dynamodb.sent_by(slow):
            admit("acc_1", FREE)
        calls.made.clear()
        latchkey.clock.forward(0.999)
        admit("acc_1", FREE)
    assert calls.made == []


def test_throttled_counter_refuses_for_a_second(latchkey: TestApp) -> None:
    """It is no outage: the burst is said to be spent, and the next request asks again."""

    def throttled(operation: str, body: dynamodb.Json) -> dynamodb.Json:
        raise Throttled("ThrottlingException", "slow down", {})

    admit("acc_1", FREE)
    with dynamodb.sent_by(throttled), pytest.raises(Refused) as refusal:
        admit("acc_1", FREE)
    assert (refusal.value.limit, refusal.value.retry_after_s) == ("throttled", 1)
    assert (refusal.value.left.quota_left, refusal.value.left.burst_left) == (999, 0)
    assert admit("acc_1", FREE).quota_left == 998
