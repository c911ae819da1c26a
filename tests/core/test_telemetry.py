"""Logs and metrics."""

import importlib.util
import io
import json
import logging
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.core import settings, telemetry
from chalicelib.limits import tiers
from tests.support.harness import TestApp


@pytest.fixture
def log(latchkey: TestApp) -> io.StringIO:
    """Everything that the test app logs."""
    stream = io.StringIO()
    telemetry.write_to(stream)
    return stream


def test_request_is_one_json_line_without_its_query(latchkey: TestApp, log: io.StringIO) -> None:
    """A request is logged as one JSON line without its query, which may contain an authorization code."""
    account = latchkey.account()
    key = latchkey.key(account)
    response = latchkey.call("GET", "/v1/users?limit=7", key.secret)
    line = json.loads(log.getvalue().splitlines()[-1])
    assert (
        line.items()
        >= {
            "message": "request",
            "request_id": response.header("x-amzn-RequestId"),
            "route": "GET /v1/users",
            "status": 200,
            "decision": "admitted",
            "account_id": account.id,
            "credential_id": key.key.id,
            "stage": "test",
        }.items()
    )
    assert "limit" not in log.getvalue()


def test_rejection_is_logged_with_its_limit(latchkey: TestApp, log: io.StringIO) -> None:
    """A rejected request is logged with its limit, so that the operator can distinguish quota from burst."""
    account = latchkey.account()
    secret = latchkey.key(account).secret
    latchkey.set_counters(account.id, tiers.FREE, burst=50)
    latchkey.call("GET", "/v1/users/me", secret)
    latchkey.set_counters(account.id, tiers.FREE, used=1000)
    latchkey.clock.forward(1)
    latchkey.call("GET", "/v1/users/me", secret)
    decisions = [line["decision"] for line in map(json.loads, log.getvalue().splitlines()) if "decision" in line]
    assert decisions == ["burst", "quota"]


def test_metric_is_a_line_of_the_embedded_format(latchkey: TestApp, log: io.StringIO) -> None:
    """A metric is a log line in CloudWatch's embedded metric format, and costs no call."""
    telemetry.count("LimiterUnavailable", reason="timeout")
    line = json.loads(log.getvalue())
    assert line["LimiterUnavailable"] in (1, [1.0])
    assert (line["stage"], line["reason"]) == ("test", "timeout")
    assert line["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Latchkey"


def test_calls_are_collected_within_the_block(latchkey: TestApp) -> None:
    """Calls are recorded within the block, not after it."""
    with telemetry.record_calls() as outer:
        account = latchkey.account()
        with telemetry.record_calls() as inner:
            latchkey.key(account)
    assert [operation for operation, _ in outer.made] == ["GetItem", "TransactWriteItems"]
    assert [operation for operation, _ in inner.made] == ["TransactWriteItems"]


def read_lines(log: io.StringIO) -> list[dict[str, Any]]:
    """Return the logged lines."""
    return [json.loads(line) for line in log.getvalue().splitlines()]


def test_measured_event_is_one_line_with_metrics_and_facts(latchkey: TestApp, log: io.StringIO) -> None:
    """A measured event is one log line in the embedded metric format, with a latency and counts."""
    latchkey.clock.forward(0.123)
    telemetry.log_metrics(
        "request", {"Latency": 12, "Requests": 1}, route="GET /", nothing=None, zero=0, when=Exception("e")
    )
    assert log.getvalue().endswith("}\n")
    assert log.getvalue().startswith('{"level":"INFO","message":"request",'), "logs are billed by the byte"
    assert read_lines(log) == [
        {
            "level": "INFO",
            "message": "request",
            "timestamp": "2021-12-20T10:00:00.123+00:00",
            "service": "latchkey",
            "route": "GET /",
            "zero": 0,
            "when": "e",
            "Latency": 12,
            "Requests": 1,
            "stage": "test",
            "_aws": {
                "Timestamp": latchkey.clock.now_ms,
                "CloudWatchMetrics": [
                    {
                        "Namespace": "Latchkey",
                        "Dimensions": [["stage"]],
                        "Metrics": [
                            {"Name": "Latency", "Unit": "Milliseconds"},
                            {"Name": "Requests", "Unit": "Count"},
                        ],
                    }
                ],
            },
        }
    ]


def test_line_of_a_traced_request_has_its_trace_id(log: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log line of a traced request contains the trace id under the name that CloudWatch expects."""
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-2-3;Parent=4;Sampled=0")
    telemetry.log_metrics("request", {})
    assert read_lines(log)[0]["xray_trace_id"] == "1-2-3"


@pytest.mark.parametrize(("level", "written"), [("DEBUG", 1), ("INFO", 1), ("WARNING", 0), ("ERROR", 0)])
def test_metrics_are_written_at_level_info(log: io.StringIO, level: str, written: int) -> None:
    """Metrics are logged at level INFO, so level WARNING disables them."""
    with settings.override(replace(settings.current(), log_level=level)):
        telemetry.log_metrics("request", {"Requests": 1})
    assert len(read_lines(log)) == written


def test_event_has_its_level_and_facts_without_none(log: io.StringIO) -> None:
    """A log entry contains its level and the fields that aren't None; the entry of an error also contains the
    traceback.
    """
    telemetry.info("happened", who="acc_1", why=None)
    telemetry.warning("odd", code="x", why=None)
    try:
        raise ValueError("the fault")
    except ValueError:
        telemetry.error("fault", request_id="r", why=None)
    found = read_lines(log)
    assert [(line["level"], line["message"], line["service"]) for line in found] == [
        ("INFO", "happened", "latchkey"),
        ("WARNING", "odd", "latchkey"),
        ("ERROR", "fault", "latchkey"),
    ]
    assert (found[0]["who"], found[1]["code"], found[2]["request_id"]) == ("acc_1", "x", "r")
    assert all("why" not in line and "location" not in line for line in found)
    assert "the fault" in found[2]["exception"]
    assert all(line["timestamp"].endswith("+00:00") and "T" in line["timestamp"] for line in found)


@pytest.fixture
def fresh_process(log: io.StringIO) -> Iterator[None]:
    """A process in which Latchkey has not logged yet."""

    def forget() -> None:
        telemetry._logger.cache_clear()
        actual = logging.getLogger("latchkey")
        actual.handlers.clear()
        actual.init = False  # type: ignore[attr-defined]  # the library's mark that it has run

    levels = {name: logging.getLogger(name).level for name in CHATTY}
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.NOTSET)
    forget()
    yield
    forget()
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


CHATTY = ("botocore", "pynamodb", "urllib3")


@pytest.mark.usefixtures("fresh_process")
def test_lines_go_to_standard_output_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    """Log lines go to standard output by default, from which Lambda reads them."""
    assert telemetry.__spec__ is not None
    assert telemetry.__spec__.loader is not None
    fresh = importlib.util.module_from_spec(telemetry.__spec__)
    telemetry.__spec__.loader.exec_module(fresh)
    fresh.log_metrics("request", {"Requests": 1})
    assert json.loads(capsys.readouterr().out)["message"] == "request"


@pytest.mark.usefixtures("fresh_process")
def test_libraries_that_log_whole_requests_are_silenced() -> None:
    """Libraries that log whole requests are silenced at any log level of this service."""
    telemetry.info("happened")
    assert [logging.getLogger(name).level for name in CHATTY] == [logging.WARNING] * 3


@pytest.fixture
def in_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose time zone isn't UTC."""
    with monkeypatch.context() as set_there:
        set_there.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("fresh_process", "in_tokyo")
def test_first_line_of_a_process_is_like_all_others(log: io.StringIO) -> None:
    """The first log line of a process has the same fields as all later ones, with the time in UTC."""
    telemetry.info("happened", why="x")
    (line,) = read_lines(log)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", line.pop("timestamp"))
    assert line == {"level": "INFO", "message": "happened", "service": "latchkey", "why": "x"}


@pytest.mark.usefixtures("fresh_process")
@pytest.mark.parametrize(("level", "written"), [("DEBUG", 3), ("INFO", 3), ("WARNING", 2), ("ERROR", 1)])
def test_only_sufficiently_severe_lines_are_logged(log: io.StringIO, level: str, written: int) -> None:
    """Only lines of at least the configured log level are logged."""
    with settings.override(replace(settings.current(), log_level=level)):
        telemetry.info("one")
        telemetry.warning("two")
        telemetry.error("three")
    assert [line["message"] for line in read_lines(log)] == ["one", "two", "three"][-written:]


def test_metrics_are_collected_in_their_request(log: io.StringIO) -> None:
    """Metrics within a request are added up for its log line; each other metric is logged on its own line."""
    outer: dict[str, int] = {}
    inner: dict[str, int] = {"Hits": 5}
    with telemetry.collect_metrics(outer):
        telemetry.count("Hits")
        with telemetry.collect_metrics(inner):
            telemetry.count("Hits")
        telemetry.count("Hits")
        telemetry.count("Misses")
        assert log.getvalue() == ""
        telemetry.count("Hits", reason="x")
    telemetry.count("Hits")
    assert (outer, inner) == ({"Hits": 2, "Misses": 1}, {"Hits": 6})
    assert [(line["message"], line["Hits"], line.get("reason")) for line in read_lines(log)] == [
        ("counted", 1, "x"),
        ("counted", 1, None),
    ]


def test_collection_ends_with_a_failed_block(log: io.StringIO) -> None:
    """Metrics of a block that fails don't count for the next request."""
    counted: dict[str, int] = {}
    with (
        pytest.raises(ValueError, match=r"^fault$"),
        telemetry.record_calls() as calls,
        telemetry.collect_metrics(counted),
    ):
        raise ValueError("fault")
    telemetry.count("Hits")
    with telemetry.dynamodb_call("GetItem", {}):
        pass
    assert (calls.made, counted) == ([], {})


def test_call_without_a_table_is_recorded() -> None:
    """A transaction, which may use several tables, is recorded without a table."""
    with telemetry.record_calls() as calls, telemetry.dynamodb_call("TransactWriteItems", {"TransactItems": []}):
        pass
    assert calls.made == [("TransactWriteItems", "")]


def test_lines_go_to_the_current_stream(log: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    """Log lines go to the current stream, flushed after each line, because Lambda may freeze the process."""

    class Flushed(io.StringIO):
        flushes = 0

        def flush(self) -> None:
            self.flushes += 1

    out = Flushed()
    monkeypatch.setattr(sys, "stdout", out)
    telemetry.write_to(None)
    telemetry.log_metrics("request", {})
    assert out.flushes == 1
    telemetry.info("happened")
    assert out.flushes == 2
    assert [line["message"] for line in read_lines(out)] == ["request", "happened"]
    assert log.getvalue() == ""


def test_process_without_a_stream_logs_to_standard_output() -> None:
    """A process logs to standard output unless another stream is set."""
    program = "from chalicelib.core import telemetry; telemetry.info('happened')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["message"] == "happened"
