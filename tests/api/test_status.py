"""/health: open to everybody, and honest about the database."""

from chalicelib.core import settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from tests.support.harness import TestApp, error_of


def test_health_is_ok_while_the_database_answers(latchkey: TestApp) -> None:
    """Anyone may ask, with or without a credential."""
    answer = latchkey.call("GET", "/health")
    assert (answer.status, answer.body) == (200, b'{"status":"ok"}')
    assert latchkey.call("GET", "/health", "nonsense").status == 200


def test_health_is_a_503_when_the_database_does_not_answer(latchkey: TestApp) -> None:
    """A monitor sees it, and when to ask again."""
    dynamodb.call("DeleteTable", {"TableName": settings.current().table("accounts")})
    answer = latchkey.call("GET", "/health")
    assert error_of(answer) == (503, "unavailable")
    assert answer.header("Retry-After") == "1"


def test_health_reads_once(latchkey: TestApp) -> None:
    """A monitor that asks every second costs one read and one count each."""
    latchkey.call("GET", "/health")
    with telemetry.record_calls() as calls:
        latchkey.call("GET", "/health")
    assert calls.made == [("UpdateItem", "latchkey-test-windows"), ("GetItem", "latchkey-test-accounts")]
