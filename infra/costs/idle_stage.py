"""The monthly cost of a stage without requests, and of what can be added to it."""

from dataclasses import dataclass

from infra import data
from infra.costs.prices import DAY_S, GB, HOURS, MILLION, MINUTES, PRICES
from infra.costs.requests import BUSY, INVOCATION_BYTES, METRICS, STREAM_GB, Shape, per_million


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one run of a function does that no request started."""

    seconds: float
    write_units: float
    read_units: float
    line_bytes: float


MINUTE = Run(seconds=0.2, write_units=1, read_units=6, line_bytes=413)
HOUR = Run(seconds=1, write_units=1, read_units=1.5, line_bytes=229)
"""With no account at all."""
IDLE_ACCOUNT_READS, USED_ACCOUNT_READS = 1, 1.5
"""In an hour, for an account that nobody uses and for one in use."""
LOOK_READS, LOOK_WRITES = 90, 1
"""Once a day for an account in use, besides; reads at most, if each of its hours takes a KB."""


def of_runs(run: Run, times: float) -> float:
    """Return what so many runs cost; X-Ray records each, since they come one at a time."""
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
    """Return what a stage costs in a month in which nobody calls it."""
    kept = MINUTES * (MINUTE.line_bytes + INVOCATION_BYTES) + HOURS * (HOUR.line_bytes + INVOCATION_BYTES)
    return {
        f"{len(data.alarms())} alarms": PRICES["alarm_month"] * len(data.alarms()),
        "the dashboard": PRICES["dashboard_month"],
        "the function of every minute: status checked, webhooks swept": of_runs(MINUTE, MINUTES),
        "the function of every hour": of_runs(HOUR, HOURS),
        "logs of these, kept for 30 days": PRICES["logs_per_gb_month"] * kept / GB,
        "empty tables with point-in-time recovery, the stage's key, schedules, the alarms' topic": 0,
    }


def besides() -> dict[str, float]:
    """Return what comes to that in a month, each by what there is of it."""
    reads = PRICES["dynamodb_read_units_per_million"] / MILLION
    writes = PRICES["dynamodb_write_units_per_million"] / MILLION
    look = 30 * (LOOK_READS * reads + LOOK_WRITES * writes)
    asked = sum(per_million(BUSY).values()) * 2 * MINUTES / 5 / MILLION
    first_traces = PRICES["xray_per_million_traces"] * 30 * DAY_S / MILLION
    return {
        "the status page's questions, where `LATCHKEY_PUBLIC_URL` is set; with two metrics": asked
        + 2 * PRICES["metric_month"],
        "the hour's look at 1,000 accounts that nobody uses": 1_000 * HOURS * IDLE_ACCOUNT_READS * reads,
        "the hour's look at 1,000 accounts in use": 1_000 * (HOURS * USED_ACCOUNT_READS * reads + look),
        "a custom metric, for a month in whose every hour it is counted": PRICES["metric_month"],
        f"all {METRICS} custom metrics so": METRICS * PRICES["metric_month"],
        "X-Ray's first trace of each second, at most": first_traces,
    }
