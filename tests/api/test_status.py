"""The route /health is public, and returns a 503 if the database is unavailable."""

from chalicelib.core import settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from tests.support.harness import TestApp, error_of


def test_health_is_ok_when_the_database_is_available(latchkey: TestApp) -> None:
    """Any caller gets a 200 from /health, with or without a valid credential."""
    response = latchkey.call("GET", "/health")
    assert (response.status, response.body) == (200, b'{"status":"ok"}')
    assert latchkey.call("GET", "/health", "nonsense").status == 200


def test_health_is_a_503_when_the_database_is_unavailable(latchkey: TestApp) -> None:
    """The response of /health is a 503 with Retry-After if the database is unavailable."""
    dynamodb.call("DeleteTable", {"TableName": settings.current().table("accounts")})
    response = latchkey.call("GET", "/health")
    assert error_of(response) == (503, "unavailable")
    assert response.header("Retry-After") == "1"


def test_health_reads_once(latchkey: TestApp) -> None:
    """A request to /health costs one write, which counts the request, and one read."""
    latchkey.call("GET", "/health")
    with telemetry.record_calls() as calls:
        latchkey.call("GET", "/health")
    assert calls.made == [("UpdateItem", "latchkey-test-windows"), ("GetItem", "latchkey-test-accounts")]
