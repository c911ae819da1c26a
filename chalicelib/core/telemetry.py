"""What the operator sees: one JSON log line a request, counters of what matters, and every DynamoDB call counted.

Nothing here takes a secret: callers pass ids, hints and numbers, and queries of URLs are left out.
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
    """The DynamoDB calls of one piece of work, in order: (operation, table)."""

    made: list[tuple[str, str]] = field(default_factory=list)


_stream: TextIO | None = None
_watching: ContextVar[Calls | None] = ContextVar("calls", default=None)
_counting: ContextVar[dict[str, int] | None] = ContextVar("counting", default=None)


@contextmanager
def calls_watched() -> Iterator[Calls]:
    """Collect the DynamoDB calls made inside a `with` block, refused and repeated ones included."""
    calls = Calls()
    token = _watching.set(calls)
    try:
        yield calls
    finally:
        _watching.reset(token)


def dynamodb_call(operation: str, request: Mapping[str, Any]) -> AbstractContextManager[None]:
    """Note one DynamoDB call, and how long a `with` block with it takes where that is traced."""
    calls = _watching.get()
    table = str(request.get("TableName", ""))
    if calls is not None:
        calls.made.append((operation, table))
    return tracing.subsegment(operation, table)


def info(event: str, **facts: object) -> None:
    """Log that `event` happened, with what an operator would ask next."""
    _logger().info(event, extra=_clean(facts))


def warning(event: str, **facts: object) -> None:
    """Log an `event` that an operator should hear of when it repeats."""
    _logger().warning(event, extra=_clean(facts))


def error(event: str, **facts: object) -> None:
    """Log a fault of ours, with the traceback of the exception being handled, if any."""
    _logger().error(event, extra=_clean(facts), exc_info=True)


def measured(event: str, metrics: Mapping[str, int], **facts: object) -> None:
    """Log that `event` happened, in a line that is its metrics too (CloudWatch's embedded metric format).

    Metrics are by stage alone: each further combination is paid by the month. The facts are there for Logs Insights.
    Every request writes one, so it is written here: through the logger it would cost as much as half a database call.
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
        **_clean(facts),
        **metrics,
        "stage": current.stage,
        "_aws": embedded,
    }
    if trace := tracing.current().get("Root"):
        line["xray_trace_id"] = trace
    # One write: lines of threads must not mix.
    _CHOSEN.write(_ENCODER.encode(line) + "\n")
    _CHOSEN.flush()


def count(metric: str, **facts: str) -> None:
    """Count `metric` once: in the line of the request it belongs to or, with facts, in its own. It costs no call."""
    request = _counting.get()
    if request is None or facts:
        measured("counted", {metric: 1}, **facts)
    else:
        request[metric] = request.get(metric, 0) + 1


@contextmanager
def counting_into(metrics: dict[str, int]) -> Iterator[None]:
    """Let what is counted in a `with` block, without dimensions, go into `metrics`: the caller writes them."""
    token = _counting.set(metrics)
    try:
        yield
    finally:
        _counting.reset(token)


def write_to(stream: TextIO | None) -> None:
    """Write log lines and metrics to `stream` instead of standard output, which in Lambda is the log."""
    global _stream
    _stream = stream


class _Chosen:
    """The stream that is chosen when a line is written: the logger lives as long as the process, a choice may not."""

    def write(self, text: str) -> int:
        return (_stream or sys.stdout).write(text)

    def flush(self) -> None:
        (_stream or sys.stdout).flush()


_CHOSEN = _Chosen()


def _clean(facts: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in facts.items() if value is not None}


@cache
def _logger() -> Any:
    import logging

    from aws_lambda_powertools.logging import Logger

    # botocore and pynamodb print whole requests at DEBUG, with everything that is in them.
    for chatty in ("botocore", "pynamodb", "urllib3"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    handler = logging.StreamHandler(_CHOSEN)
    return Logger(
        service=SERVICE,
        level=settings.current().log_level,
        logger_handler=handler,
        location=None,
        use_rfc3339=True,
        utc=True,
    )
