"""Checks of the components, which run every minute."""

from dataclasses import replace
from itertools import count

import pytest

from chalicelib.core import clock, settings
from chalicelib.uptime import checks
from tests.support.harness import TestApp
from tests.support.webhook_receiver import Receiver
from tests.uptime.status_page import no_overdue_delivery, read_status


def test_check_requests_public_url(latchkey: TestApp, receiver: Receiver) -> None:
    """A component is down if it doesn't respond or its response is wrong. Without a public URL its state is unknown."""
    for url, found in (
        ("http://127.0.0.1:9", "down"),
        (receiver.url, "down"),
        ("", "unknown"),
    ):
        with settings.override(replace(settings.current(), public_url=url)):
            assert checks.check(no_overdue_delivery) == {
                "api": found,
                "oauth": found,
                "webhooks": "up",
                "database": "up",
            }


def test_component_that_is_up_is_requested_every_five_minutes(latchkey: TestApp, receiver: Receiver) -> None:
    """API Gateway charges for requests, so a component that is up is requested every five minutes, and others every
    minute.
    """
    receiver.statuses = [200]
    with settings.override(replace(settings.current(), public_url=receiver.url.removesuffix("/hooks"))):
        for _ in range(10):
            assert checks.check(no_overdue_delivery)["api"] == "up"
            latchkey.clock.forward(60)
        assert receiver.get_paths.count("/health") == 2
        receiver.statuses = [503]
        for _ in range(10):
            found = checks.check(no_overdue_delivery)
            latchkey.clock.forward(60)
    assert found["api"] == "down"
    assert receiver.get_paths.count("/health") > 2 + 5


@pytest.mark.parametrize(
    ("status", "found"),
    [(200, "up"), (204, "down"), (302, "down"), (403, "down"), (404, "down"), (429, "degraded")]
    + [(status, "down") for status in (500, 502, 503, 504)],
)
def test_200_is_up_429_is_degraded_and_others_are_down(
    latchkey: TestApp, receiver: Receiver, status: int, found: str
) -> None:
    """A 200 is up and a 429 is degraded. Any other status is down, such as API Gateway's responses for a failing
    function.
    """
    receiver.statuses = [status]
    with settings.override(replace(settings.current(), public_url=receiver.url.removesuffix("/hooks"))):
        checks.check(no_overdue_delivery)
    api, oauth = read_status(latchkey)["components"][:2]
    assert (api["state"], oauth["state"]) == (found, found)
    assert api["days"][-1]["minutes_down"] == (found == "down")
    assert api["uptime_percent"] == ("0" if found == "down" else "100")


@pytest.mark.parametrize(
    ("late_ms", "found"), [(None, "up"), (300_000, "up"), (300_001, "degraded"), (1_800_001, "down")]
)
def test_overdue_delivery_makes_webhooks_degraded_or_down(latchkey: TestApp, late_ms: int | None, found: str) -> None:
    """Webhooks are degraded if a delivery is overdue by more than five minutes, and down after half an hour."""
    with settings.override(replace(settings.current(), public_url="")):
        assert checks.check(lambda _: late_ms)["webhooks"] == found


@pytest.mark.parametrize(("takes_ms", "found"), [(1_000, "up"), (1_001, "degraded")])
def test_database_slower_than_a_second_is_degraded(latchkey: TestApp, takes_ms: int, found: str) -> None:
    """A database that responds after more than a second is degraded."""
    times_ns = count(0, takes_ms * 1_000_000)
    with (
        settings.override(replace(settings.current(), public_url="")),
        clock.use_monotonic_clock(lambda: next(times_ns)),
    ):
        assert checks.check(no_overdue_delivery)["database"] == found
