"""The report on the status page: states, headline and caching."""

import pytest

from chalicelib.core import telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.limits import tiers
from chalicelib.uptime import incidents
from chalicelib.uptime import states as words
from tests.support.console_client import ConsoleClient
from tests.support.harness import TestApp
from tests.uptime.status_page import fail_request, read_status, states, store_check


def test_state_without_recent_check_is_unknown(latchkey: TestApp) -> None:
    """Before the first check, and five minutes after the last."""
    assert set(states(latchkey).values()) == {"unknown"}
    store_check(oauth="degraded")
    assert states(latchkey) == {"api": "up", "oauth": "degraded", "webhooks": "up", "database": "up"}
    latchkey.clock.forward(6 * 60)
    assert set(states(latchkey).values()) == {"unknown"}


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
    """Without a public URL the API is not checked, so the overall state is not up."""
    store_check(**found)
    assert read_status(latchkey)["state"] == whole
    page = ConsoleClient(latchkey).open("/status").text
    assert headline in page
    assert (whole == "up") == ("All systems operational." in page)


def test_page_states_check_intervals(latchkey: TestApp) -> None:
    """The API and the authorization server are checked less often while they are up."""
    store_check()
    page = ConsoleClient(latchkey).open("/status").text
    assert (
        "Checked every minute; the API and the authorization server every 5 minutes while they are up. Last check:"
        in page
    )


def test_page_counts_checked_days_only(latchkey: TestApp) -> None:
    """A new service does not claim 90 days."""
    store_check(api="up")
    assert "100% uptime since 2021-12-20" in ConsoleClient(latchkey).open("/status").text
    assert "last 90 days" not in ConsoleClient(latchkey).open("/status").text
    latchkey.clock.forward(86_400)
    store_check(api="up")
    assert "100% uptime since 2021-12-20" in ConsoleClient(latchkey).open("/status").text


@pytest.mark.parametrize("api", ["up", "unknown"])
def test_open_incident_determines_headline(latchkey: TestApp, api: str) -> None:
    """The page does not say that everything is up above an open incident."""
    store_check(api=api)
    incidents.open_incident("Slow answers", "We are looking into it.", ["api"])
    assert "All systems operational; ongoing incident below." in ConsoleClient(latchkey).open("/status").text


def test_status_page_is_not_rate_limited(latchkey: TestApp) -> None:
    """Counting would need the database, so the request is neither counted nor rejected."""
    latchkey.set_counters("ip_203.0.113.7", tiers.ANONYMOUS, used=3600)
    for path in ("/status", "/status.json", "/status.rss"):
        response = latchkey.call("GET", path)
        assert (response.status, response.header("X-RateLimit-Limit")) == (200, "0")
    with telemetry.record_calls() as calls:
        latchkey.call("GET", "/status.json")
    assert calls.made == []


def test_status_is_read_once_in_15_seconds(latchkey: TestApp) -> None:
    """The two reads are shared by all requests."""
    assert latchkey.call("GET", "/status.json").status == 200
    with dynamodb.use_sender(fail_request):
        assert latchkey.call("GET", "/status.json").json()["history"] == "read"
    latchkey.clock.forward(1)
    assert latchkey.call("GET", "/status").status == 200
