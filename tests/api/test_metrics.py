"""One log line for each request, with its metrics in CloudWatch's embedded metric format."""

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chalicelib.api import authorizer
from chalicelib.core import secrets, telemetry
from chalicelib.limits import tiers
from tests.oauth.flow import CLIENT, new_user, register_client
from tests.support.failing_view import gateway_with_fault
from tests.support.harness import TestApp

Line = dict[str, Any]
Lines = Callable[[], list[Line]]
UNITS = {"Count", "Milliseconds"}


@pytest.fixture
def lines(latchkey: TestApp) -> Iterator[Lines]:
    """Return a function that returns the lines logged since its last call."""
    stream = io.StringIO()
    telemetry.write_to(stream)

    def since() -> list[Line]:
        written = [json.loads(line) for line in stream.getvalue().splitlines()]
        stream.seek(0)
        stream.truncate()
        return written

    yield since
    telemetry.write_to(None)


def lines_of(event: str, written: list[Line]) -> list[Line]:
    """Return the lines of one event."""
    return [line for line in written if line["message"] == event]


def count(metric: str, written: list[Line]) -> int:
    """Return the sum of a metric."""
    return sum(line.get(metric, 0) for line in written)


def assert_embedded(line: Line) -> None:
    """Assert that a line has CloudWatch's embedded metric format, because CloudWatch silently drops any other line."""
    embedded = line["_aws"]
    assert isinstance(embedded["Timestamp"], int)
    (directive,) = embedded["CloudWatchMetrics"]
    assert directive["Namespace"] == "Latchkey"
    for metric in directive["Metrics"]:
        assert metric["Unit"] in UNITS
        assert isinstance(line[metric["Name"]], int)
    # Each additional dimension would be another metric, which costs money each month.
    assert directive["Dimensions"] == [["stage"]]
    assert line["stage"]


def test_each_request_is_one_line_with_caller_and_decision(latchkey: TestApp, lines: Lines) -> None:
    """Every request logs one line with route, status, decision, tier, account and credential."""
    account = latchkey.account()
    issued, weak = latchkey.key(account), latchkey.key(account, "write")
    lines()
    for method, target, secret, status, decision, who in (
        ("GET", "/v1/users/me", issued, 200, "admitted", True),
        ("GET", "/v1/users/me", weak, 403, "insufficient_scope", True),
        ("GET", "/v1/users/usr_00000000000000000000", issued, 404, "admitted", True),
        ("GET", "/health", None, 200, "admitted", False),
    ):
        response = latchkey.call(method, target, secret.secret if secret else None)
        (line,) = lines_of("request", lines())
        route = "/v1/users/{user_id}" if status == 404 else target
        assert (line["request_id"], line["route"]) == (response.header("x-amzn-RequestId"), f"{method} {route}")
        assert (line["status"], line["decision"]) == (status, decision)
        assert line["tier"] == ("free" if who else "anonymous")
        assert line.get("account_id") == (account.id if who else None)
        assert line.get("credential_id") == (secret.key.id if secret else None)
        assert (line["Requests"], line["level"]) == (1, "INFO")
        assert line["Latency"] >= 0


def test_every_line_with_metrics_has_the_embedded_format(latchkey: TestApp, lines: Lines) -> None:
    """Every log line with a metric has CloudWatch's embedded metric format."""
    latchkey.call("GET", "/v1/limits", latchkey.key(latchkey.account()).secret)
    latchkey.call("GET", "/v1/limits", "nonsense")
    latchkey.call("GET", "/health")
    new_user(latchkey).grant(register_client(latchkey))
    telemetry.count("LimiterUnavailable")
    measured = [line for line in lines() if "_aws" in line]
    assert {"request", "verified", "denied", "counted"} <= {line["message"] for line in measured}
    for line in measured:
        assert_embedded(line)


@pytest.mark.parametrize(("spent", "limit"), [({"used": 1000}, "quota"), ({"burst": 50}, "burst")])
def test_rejections_are_counted_by_limit(latchkey: TestApp, lines: Lines, spent: dict[str, int], limit: str) -> None:
    """Every rejection is counted under its limit, even if it comes from the local cache."""
    account = latchkey.account()
    secret = latchkey.key(account).secret
    latchkey.set_counters(account.id, tiers.FREE, **spent)
    for _ in range(3):
        assert latchkey.call("GET", "/v1/limits", secret).status == 429
    refused = lines_of("request", lines())
    assert [(line["Refusals"], line["decision"], line["tier"]) for line in refused] == [(1, limit, "free")] * 3
    assert all("Unauthorized" not in line and "Faults" not in line for line in refused)


def test_unauthorized_is_counted_by_error(latchkey: TestApp, lines: Lines) -> None:
    """The authorizer counts an invalid secret once by its error, because API Gateway then caches the Deny."""
    expired = latchkey.key(latchkey.account(), expires_in_s=-1).secret
    for secret in (secrets.mint("test"), "nonsense", "nonsense", expired):
        latchkey.call("GET", "/v1/limits", secret)
    latchkey.call("GET", "/v1/limits")
    denied = lines_of("denied", lines())
    assert [line["error"] for line in denied] == ["invalid_api_key", "invalid_api_key", "token_expired"]
    assert [line["Unauthorized"] for line in denied] == [1, 1, 1]


def test_unauthorized_in_the_middleware_is_counted_by_error(latchkey: TestApp, lines: Lines) -> None:
    """The middleware counts requests with a key that expired while its policy was cached."""
    secret = latchkey.key(latchkey.account(), expires_in_s=60).secret
    latchkey.call("GET", "/v1/limits", secret)
    latchkey.clock.forward(60)
    lines()
    assert latchkey.call("GET", "/v1/limits", secret).status == 401
    (line,) = lines()
    assert (line["Unauthorized"], line["decision"]) == (1, "token_expired")


def test_fault_is_counted(latchkey: TestApp, lines: Lines) -> None:
    """An exception in a view is counted, and its traceback is logged with the request id of the response."""
    latchkey.gateway = gateway_with_fault()
    response = latchkey.call("GET", "/v1/fault", latchkey.key(latchkey.account()).secret)
    assert response.status == 500
    written = lines()
    (line,), (traced,) = lines_of("request", written), lines_of("view_failed", written)
    assert (line["Faults"], line["status"] // 100) == (1, 5)
    assert (traced["level"], traced["request_id"]) == ("ERROR", response.header("x-amzn-RequestId"))
    assert traced["exception_name"] == "Fault"


def test_cold_start_of_the_authorizer_is_counted_once(
    latchkey: TestApp, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The authorizer counts one cold start per process, whether its first decision is Allow or Deny."""
    for first, second in (
        ("nonsense", latchkey.key(latchkey.account()).secret),
        (latchkey.key(latchkey.account()).secret, "rubbish"),
    ):
        monkeypatch.setattr(authorizer, "_started", [])
        lines()
        latchkey.call("GET", "/v1/limits", first)
        assert count("AuthorizerColdStarts", lines()) == 1
        latchkey.call("GET", "/v1/limits", second)
        assert count("AuthorizerColdStarts", lines()) == 0


def test_issued_tokens_are_counted(latchkey: TestApp, lines: Lines) -> None:
    """The metric TokensIssued counts requests that issue tokens, but neither errors nor replayed refreshes."""
    ada, app = new_user(latchkey), register_client(latchkey)
    code = ada.code(app)
    lines()
    tokens = app.redeem(code).json()
    assert count("TokensIssued", lines()) == 1
    app.refresh(tokens["refresh_token"])
    assert count("TokensIssued", lines()) == 1
    app.refresh(tokens["refresh_token"])
    assert count("TokensIssued", lines()) == 0
    app.ask(CLIENT)
    assert count("TokensIssued", lines()) == 1
    app.refresh("nonsense")
    assert count("TokensIssued", lines()) == 0


def test_reuse_is_counted(latchkey: TestApp, lines: Lines) -> None:
    """Reuse of an authorization code is counted by a metric that raises an alarm."""
    ada, app = new_user(latchkey), register_client(latchkey)
    code = ada.code(app)
    app.redeem(code)
    lines()
    assert app.redeem(code).status == 400
    written = lines()
    assert (count("ReuseDetected", written), count("TokensIssued", written)) == (1, 0)
