"""What the operator sees: one JSON log line a request, counters of what matters, and every DynamoDB call counted.

Nothing here takes a secret: callers pass ids, hints and numbers, and queries of URLs are left out.
"""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TextIO

from chalicelib.core import clock, settings, tracing

NAMESPACE = "Latchkey"
UNITS = {"Latency": "Milliseconds"}


@dataclass(slots=True)
class Calls:
    """The DynamoDB calls of one piece of work, in order: (operation, table)."""

    made: list[tuple[str, str]] = field(default_factory=list)


_stream: TextIO | None = None
_watching: ContextVar[Calls | None] = ContextVar("calls", default=None)


@contextmanager
def calls_watched() -> Iterator[Calls]:
    """Collect the DynamoDB calls made inside a `with` block, refused and repeated ones included."""
    calls = Calls()
    token = _watching.set(calls)
    try:
        yield calls
    finally:
        _watching.reset(token)


@contextmanager
def dynamodb_call(operation: str, request: Mapping[str, Any]) -> Iterator[None]:
    """Note one DynamoDB call."""
    calls = _watching.get()
    table = str(request.get("TableName", ""))
    if calls is not None:
        calls.made.append((operation, table))
    with tracing.subsegment(operation, table):
        yield


def info(event: str, **facts: object) -> None:
    """Log that `event` happened, with what an operator would ask next."""
    _logger().info(event, extra=_clean(facts))


def warning(event: str, **facts: object) -> None:
    """Log an `event` that an operator should hear of when it repeats."""
    _logger().warning(event, extra=_clean(facts))


def error(event: str, **facts: object) -> None:
    """Log a fault of ours, with the traceback of the exception being handled, if any."""
    _logger().error(event, extra=_clean(facts), exc_info=True)


def measured(event: str, metrics: Mapping[str, int], dimensions: Mapping[str, str], **facts: object) -> None:
    """Log that `event` happened, in a line that is its metrics too (CloudWatch's embedded metric format)."""
    named = {"stage": settings.current().stage, **dimensions}
    embedded = {
        "Timestamp": clock.now_ms(),
        "CloudWatchMetrics": [
            {
                "Namespace": NAMESPACE,
                # By stage for the alarms, and by everything; a set that stood there twice might be counted twice.
                "Dimensions": [["stage"], [*named]] if dimensions else [["stage"]],
                "Metrics": [{"Name": name, "Unit": UNITS.get(name, "Count")} for name in metrics],
            }
        ],
    }
    _logger().info(event, extra=_clean({**facts, **metrics, **named, "_aws": embedded}))


def count(metric: str, **dimensions: str) -> None:
    """Count `metric` once: a line of the log, so it costs no call."""
    measured("counted", {metric: 1}, dimensions)


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


def _clean(facts: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in facts.items() if value is not None}


@lru_cache(maxsize=1)
def _logger() -> Any:
    import logging

    from aws_lambda_powertools.logging import Logger

    # botocore and pynamodb print whole requests at DEBUG, with everything that is in them.
    for chatty in ("botocore", "pynamodb", "urllib3"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    handler = logging.StreamHandler(_Chosen())
    return Logger(service="latchkey", level=settings.current().log_level, logger_handler=handler, location=None)
