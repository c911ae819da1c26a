"""What the operator sees."""

import io
import json

import pytest

from chalicelib.core import telemetry
from chalicelib.limits import tiers
from tests.house import House


@pytest.fixture
def log(home: House) -> io.StringIO:
    """Everything that is logged in this house."""
    stream = io.StringIO()
    telemetry.write_to(stream)
    return stream


def test_request_is_one_json_line_without_its_query(home: House, log: io.StringIO) -> None:
    """A request is one line of facts to search for; its query, which may hold a code, is not among them."""
    account = home.account()
    key = home.key(account)
    answer = home.call("GET", "/v1/users?limit=7", key.secret)
    line = json.loads(log.getvalue().splitlines()[-1])
    assert (
        line.items()
        >= {
            "message": "request",
            "request_id": answer.header("x-amzn-RequestId"),
            "route": "GET /v1/users",
            "status": 200,
            "decision": "admitted",
            "account_id": account.id,
            "credential_id": key.key.id,
            "stage": "test",
        }.items()
    )
    assert "limit" not in log.getvalue()


def test_refusal_is_logged_by_the_limit_that_was_hit(home: House, log: io.StringIO) -> None:
    """The operator can tell a spent quota from a spent burst."""
    account = home.account()
    secret = home.key(account).secret
    home.counted(account.id, tiers.FREE, burst=50)
    home.call("GET", "/v1/users/me", secret)
    home.counted(account.id, tiers.FREE, used=1000)
    home.clock.forward(1)
    home.call("GET", "/v1/users/me", secret)
    decisions = [line["decision"] for line in map(json.loads, log.getvalue().splitlines()) if "decision" in line]
    assert decisions == ["burst", "quota"]


def test_metric_is_a_line_of_the_embedded_format(home: House, log: io.StringIO) -> None:
    """A metric costs no call: CloudWatch reads it from the log."""
    telemetry.count("LimiterUnavailable", reason="timeout")
    line = json.loads(log.getvalue())
    assert line["LimiterUnavailable"] in (1, [1.0])
    assert (line["stage"], line["reason"]) == ("test", "timeout")
    assert line["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Latchkey"


def test_watched_calls_end_with_the_block(home: House) -> None:
    """Calls are counted for whoever watches, and for nobody else."""
    with telemetry.calls_watched() as outer:
        account = home.account()
        with telemetry.calls_watched() as inner:
            home.key(account)
    assert [operation for operation, _ in outer.made] == ["GetItem", "TransactWriteItems"]
    assert [operation for operation, _ in inner.made] == ["TransactWriteItems"]
