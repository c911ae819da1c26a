"""The report on the status page: component states, headline and caching."""

import pytest

from chalicelib.core import telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.limits import tiers
from chalicelib.uptime import incidents
from chalicelib.uptime import states as words
from tests.support.console_client import ConsoleClient
from tests.support.harness import TestApp
from tests.uptime.status_page import fail_request, read_states, read_status, store_check


def test_state_without_recent_check_is_unknown(latchkey: TestApp) -> None:
    """A component's state is unknown before the first check, and from five minutes after the last check."""
    assert set(read_states(latchkey).values()) == {"unknown"}
    store_check(oauth="degraded")
    assert read_states(latchkey) == {"api": "up", "oauth": "degraded", "webhooks": "up", "database": "up"}
    latchkey.clock.forward(6 * 60)
    assert set(read_states(latchkey).values()) == {"unknown"}


@pytest.mark.parametrize(
    ("found", "whole", "headline"),
    [
        ({}, "up", "All systems operational."),
        (
            {"api": "unknown", "oauth": "unknown"},
            "partly_checked",
            "All checked systems operational. Some systems aren't checked.",
        ),
        ({"api": "unknown", "webhooks": "degraded"}, "degraded", "Some systems are degraded."),
        ({"api": "unknown", "database": "down"}, "down", "Some systems are down."),
        (dict.fromkeys(words.COMPONENTS, "unknown"), "unknown", "No recent checks."),
    ],
)
def test_overall_state_is_the_worst_known(latchkey: TestApp, found: dict[str, str], whole: str, headline: str) -> None:
    """The overall state is the worst known state of a component. Without a public URL the API isn't checked, so the
    overall state isn't `up`.
    """
    store_check(**found)
    assert read_status(latchkey)["state"] == whole
    page = ConsoleClient(latchkey).open("/status").text
    assert headline in page
    assert (whole == "up") == ("All systems operational." in page)


def test_page_states_check_intervals(latchkey: TestApp) -> None:
    """The page says that the API and the authorization server are checked less often while they are up."""
    store_check()
    page = ConsoleClient(latchkey).open("/status").text
    assert (
        "Checked every minute; the API and the authorization server every 5 minutes while they are up. Last check:"
        in page
    )


def test_page_counts_checked_days_only(latchkey: TestApp) -> None:
    """The uptime counts only days with checks, so that a new service doesn't claim 90 days."""
    store_check(api="up")
    assert "100% uptime since 2021-12-20" in ConsoleClient(latchkey).open("/status").text
    assert "last 90 days" not in ConsoleClient(latchkey).open("/status").text
    latchkey.clock.forward(86_400)
    store_check(api="up")
    assert "100% uptime since 2021-12-20" in ConsoleClient(latchkey).open("/status").text


@pytest.mark.parametrize("api", ["up", "unknown"])
def test_open_incident_determines_headline(latchkey: TestApp, api: str) -> None:
    """While an incident is open, the headline doesn't say that everything is up."""
    store_check(api=api)
    incidents.open_incident("Slow answers", "We are looking into it.", ["api"])
    assert "All systems operational; ongoing incident below." in ConsoleClient(latchkey).open("/status").text


def test_status_page_is_not_rate_limited(latchkey: TestApp) -> None:
    """Requests for the status page are neither counted nor rejected, because counting would need the database."""
    latchkey.set_counters("ip_203.0.113.7", tiers.ANONYMOUS, used=3600)
    for path in ("/status", "/status.json", "/status.rss"):
        response = latchkey.call("GET", path)
        assert (response.status, response.header("X-RateLimit-Limit")) == (200, "0")
    with telemetry.record_calls() as calls:
        latchkey.call("GET", "/status.json")
    assert calls.made == []


def test_status_is_read_once_in_15_seconds(latchkey: TestApp) -> None:
    """All requests within 15 seconds share two database reads."""
    assert latchkey.call("GET", "/status.json").status == 200
    with dynamodb.use_sender(fail_request):
        assert latchkey.call("GET", "/status.json").json()["history"] == "read"
    latchkey.clock.forward(1)
    assert latchkey.call("GET", "/status").status == 200
