"""Calculate the monthly cost of a stage without requests, and of optional features."""

from dataclasses import dataclass

from infra import data
from infra.costs.prices import DAY_S, GB, HOURS, MILLION, MINUTES, PRICES
from infra.costs.requests import BUSY, INVOCATION_BYTES, METRICS, STREAM_GB, Shape, per_million


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The resources that one run of a scheduled function consumes."""

    seconds: float
    write_units: float
    read_units: float
    line_bytes: float


MINUTE = Run(seconds=0.2, write_units=1, read_units=5.5, line_bytes=413)
HOUR = Run(seconds=1, write_units=1, read_units=1.5, line_bytes=229)
"""The resources that one run of the hourly function consumes in a stage without accounts."""
IDLE_ACCOUNT_READS, USED_ACCOUNT_READS = 1, 1.5
"""The read units per hour for an unused account, and for an account in use."""
LOOK_READS, LOOK_WRITES = 90, 1
"""The read and write units of the daily anomaly detection for an account in use. The hourly counter items have 1 KB."""


def of_runs(run: Run, times: float) -> float:
    """Return the cost of `times` runs. X-Ray traces every run, since there is less than one per second."""
    each = Shape(
        name="",
        invocations=1,
        gb_seconds=STREAM_GB * run.seconds,
        write_units=run.write_units,
        read_units=run.read_units,
        line_bytes=run.line_bytes,
        is_request=False,
        traced=1,
    )
    return sum(per_million(each).values()) * times / MILLION


def idle() -> dict[str, float]:
    """Return the monthly cost of a stage without requests, by item."""
    kept = MINUTES * (MINUTE.line_bytes + INVOCATION_BYTES) + HOURS * (HOUR.line_bytes + INVOCATION_BYTES)
    return {
        f"{len(data.alarms())} alarms": PRICES["alarm_month"] * len(data.alarms()),
        "the dashboard": PRICES["dashboard_month"],
        "the minutely function: status checks, webhook retries": of_runs(MINUTE, MINUTES),
        "the hourly function": of_runs(HOUR, HOURS),
        "logs of these, kept for 30 days": PRICES["logs_per_gb_month"] * kept / GB,
        "empty tables with point-in-time recovery, the stage's key, schedules, the alarms' topic": 0,
    }


def additions() -> dict[str, float]:
    """Return the monthly cost of each optional feature."""
    reads = PRICES["dynamodb_read_units_per_million"] / MILLION
    writes = PRICES["dynamodb_write_units_per_million"] / MILLION
    look = 30 * (LOOK_READS * reads + LOOK_WRITES * writes)
    asked = sum(per_million(BUSY).values()) * 2 * MINUTES / 5 / MILLION
    first_traces = PRICES["xray_per_million_traces"] * 30 * DAY_S / MILLION
    return {
        "the status page's checks, where `LATCHKEY_PUBLIC_URL` is set; with two metrics": asked
        + 2 * PRICES["metric_month"],
        "hourly detection for 1,000 unused accounts": 1_000 * HOURS * IDLE_ACCOUNT_READS * reads,
        "hourly detection for 1,000 accounts in use": 1_000 * (HOURS * USED_ACCOUNT_READS * reads + look),
        "a custom metric that is recorded in every hour of the month": PRICES["metric_month"],
        f"all {METRICS} custom metrics, recorded in every hour": METRICS * PRICES["metric_month"],
        "X-Ray's first trace of each second, at most": first_traces,
    }
