"""Logs and metrics for the operator, written as lines of JSON, and a record of the DynamoDB calls for tests.

Callers must never log a secret: they pass ids, key previews, numbers, and URLs without their queries.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any, TextIO

from chalicelib.core import clock, settings
from chalicelib.core.dynamodb import tracing

NAMESPACE = "Latchkey"
SERVICE = "latchkey"
UNITS = {"Latency": "Milliseconds"}

_ENCODER = json.JSONEncoder(separators=(",", ":"), default=str)


@dataclass(slots=True)
class Calls:
    """The DynamoDB calls of one task in order, each as (operation, table)."""

    made: list[tuple[str, str]] = field(default_factory=list)


_stream: TextIO | None = None
_recorded_calls: ContextVar[Calls | None] = ContextVar("calls", default=None)
_collected_metrics: ContextVar[dict[str, int] | None] = ContextVar("counting", default=None)


@contextmanager
def record_calls() -> Iterator[Calls]:
    """Collect the DynamoDB calls made in a `with` block, including failed and repeated ones."""
    calls = Calls()
    token = _recorded_calls.set(calls)
    try:
        yield calls
    finally:
        _recorded_calls.reset(token)


def dynamodb_call(operation: str, request: Mapping[str, Any]) -> AbstractContextManager[None]:
    """Record one DynamoDB call. If this invocation is traced, also report the `with` block to X-Ray."""
    calls = _recorded_calls.get()
    table = str(request.get("TableName", ""))
    if calls is not None:
        calls.made.append((operation, table))
    return tracing.subsegment(operation, table)


def info(event: str, **facts: object) -> None:
    """Log an `event` with its fields."""
    _logger().info(event, extra=_drop_none(facts))


def warning(event: str, **facts: object) -> None:
    """Log an `event` that needs the operator's attention if it occurs repeatedly."""
    _logger().warning(event, extra=_drop_none(facts))


def error(event: str, **facts: object) -> None:
    """Log an internal error. If an exception is being handled, its traceback is included."""
    _logger().error(event, extra=_drop_none(facts), exc_info=True)


def log_metrics(event: str, metrics: Mapping[str, int], **facts: object) -> None:
    """Log an `event` and its metrics in one line (CloudWatch embedded metric format).

    The stage is the only dimension of the metrics, because each combination of dimensions is billed monthly. The other
    fields are for CloudWatch Logs Insights. The logger isn't used here, because every request writes such a line, and
    the logger takes half as long as a database call.
    """
    current, now_ms = settings.current(), clock.now_ms()
    if current.log_level not in ("DEBUG", "INFO"):
        return
    embedded = {
        "Timestamp": now_ms,
        "CloudWatchMetrics": [
            {
                "Namespace": NAMESPACE,
                "Dimensions": [["stage"]],
                "Metrics": [{"Name": name, "Unit": UNITS.get(name, "Count")} for name in metrics],
            }
        ],
    }
    line = {
        "level": "INFO",
        "message": event,
        "timestamp": datetime.fromtimestamp(now_ms / 1000, UTC).isoformat(timespec="milliseconds"),
        "service": SERVICE,
        **_drop_none(facts),
        **metrics,
        "stage": current.stage,
        "_aws": embedded,
    }
    if trace := tracing.current().get("Root"):
        line["xray_trace_id"] = trace
    # The line is written with one call, so that lines of different threads don't mix.
    _CURRENT_STREAM.write(_ENCODER.encode(line) + "\n")
    _CURRENT_STREAM.flush()


def count(metric: str, **facts: str) -> None:
    """Increase `metric` by one. This makes no network call.

    Within a request, the request's log line contains the count. Outside a request, or with `facts`, the count is logged
    in a separate line.
    """
    request = _collected_metrics.get()
    if request is None or facts:
        log_metrics("counted", {metric: 1}, **facts)
    else:
        request[metric] = request.get(metric, 0) + 1


@contextmanager
def collect_metrics(metrics: dict[str, int]) -> Iterator[None]:
    """Collect the metrics that are counted in a `with` block in the mapping `metrics`. The caller logs them."""
    token = _collected_metrics.set(metrics)
    try:
        yield
    finally:
        _collected_metrics.reset(token)


def write_to(stream: TextIO | None) -> None:
    """Write log lines and metrics to `stream`. None means standard output, which Lambda logs."""
    global _stream
    _stream = stream


class _CurrentStream:
    """A stream that writes to the stream set by `write_to`.

    The logger is created only once, but that stream may change.
    """

    def write(self, text: str) -> int:
        return (_stream or sys.stdout).write(text)

    def flush(self) -> None:
        (_stream or sys.stdout).flush()


_CURRENT_STREAM = _CurrentStream()


def _drop_none(facts: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in facts.items() if value is not None}


@cache
def _logger() -> Any:
    import logging

    from aws_lambda_powertools.logging import Logger

    # botocore and pynamodb log whole requests at DEBUG, including secrets.
    for chatty in ("botocore", "pynamodb", "urllib3"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    handler = logging.StreamHandler(_CURRENT_STREAM)
    return Logger(
        service=SERVICE,
        level=settings.current().log_level,
        logger_handler=handler,
        location=None,
        use_rfc3339=True,
        utc=True,
    )
