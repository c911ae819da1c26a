"""A limiter outage is no API outage: while the database can't be reached, requests pass, a call a second."""

import io

from chalicelib.core import telemetry, wire
from chalicelib.limits.admission import admit
from chalicelib.limits.tiers import FREE
from tests.house import House


def test_request_passes_when_the_database_cannot_be_reached(cut_off: House) -> None:
    """The request is let through, and the operator hears of it by a metric."""
    log = io.StringIO()
    telemetry.write_to(log)
    assert admit("acc_1", FREE).limit == 1000
    assert "LimiterUnavailable" in log.getvalue()


def test_only_one_request_a_second_waits_for_the_database(cut_off: House) -> None:
    """After a call without an answer the others pass unasked until a second is over."""
    admit("acc_1", FREE)
    with telemetry.calls_watched() as calls:
        admit("acc_1", FREE)
        cut_off.clock.forward(0.999)
        admit("acc_2", FREE)
        assert calls.made == []
        cut_off.clock.forward(0.001)
        admit("acc_1", FREE)
    assert len(calls.made) == wire.AT_ONCE.unavailable


def test_clock_set_back_prolongs_no_outage(cut_off: House) -> None:
    """When the clock jumps back the database is asked again at once."""
    admit("acc_1", FREE)
    cut_off.clock.forward(-3600)
    with telemetry.calls_watched() as calls:
        admit("acc_1", FREE)
    assert calls.made
