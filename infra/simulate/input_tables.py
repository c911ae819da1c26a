"""Format the simulation's inputs as tables for docs/scale.md: AWS's default limits, and the assumptions."""

from infra.simulate import assumptions as assumed
from infra.simulate import ceilings
from infra.simulate.markdown import table


def defaults() -> str:
    """Return the table of AWS's default limits."""
    rows = (
        (
            "gateway: the stage's throttle, set by `make deploy`",
            f"{ceilings.STAGE_REQUESTS_S:,} requests/s, burst {ceilings.STAGE_BURST:,}",
            "stage",
            "`RATE_LIMIT` and `BURST_LIMIT` in `infra/deploy/gateway_stage.py`",
        ),
        (
            "API Gateway: requests",
            f"{ceilings.GATEWAY_REQUESTS_S:,} requests/s, burst {ceilings.GATEWAY_BURST:,}",
            "AWS account and region",
            "Service Quotas",
        ),
        ("API Gateway: waits for a function", f"{ceilings.GATEWAY_TIMEOUT_S} s", "request", "Service Quotas"),
        (
            "Lambda: concurrency",
            f"{ceilings.LAMBDA_CONCURRENCY:,}, and {ceilings.LAMBDA_REQUESTS_S_EACH} requests/s for each of them",
            "AWS account and region",
            "Service Quotas",
        ),
        (
            "Lambda: growth",
            f"{ceilings.LAMBDA_GROWS:,} environments, and what they may serve, in {ceilings.LAMBDA_GROWS_IN_S} s",
            "function",
            "no; provisioned concurrency goes before it",
        ),
        (
            "DynamoDB: a partition, and so an item",
            f"{ceilings.PARTITION_WRITES_S:,} write and {ceilings.PARTITION_READS_S:,} read units/s",
            "partition",
            "never",
        ),
        (
            "DynamoDB: the initial throughput of a new table",
            f"{ceilings.NEW_TABLE_WRITES_S:,} write units/s, later twice its last peak",
            "table",
            "warm throughput",
        ),
        ("DynamoDB: an on-demand table", f"{ceilings.TABLE_WRITES_S:,} write units/s", "table", "Service Quotas"),
    )
    return table(("limit", "default", "for each", "raised by"), rows, numbers=False)


def assumptions() -> str:
    """Return the table of the simulation's assumptions."""
    off_ms = assumed.CLOCKS_AGREE_MS, assumed.CLOCKS_DIFFER_MS
    edge_ms, view_ms = assumed.EDGE_MS, assumed.VIEW_MS
    lost = _each(assumed.LOST_BEFORE)
    rows = (
        ("a call to DynamoDB", _spread(assumed.ROUND_TRIP)),
        ("a cold start", _spread(assumed.COLD_START)),
        ("a function's work before and after the admission", f"{edge_ms} ms and {view_ms} ms"),
        ("random delay of a request", f"{assumed.CLIENT_JITTER_MS} ms on average"),
        ("calls that are lost, calls whose response is lost, calls that get a 5xx", f"{lost} of each kind"),
        ("functions that end after a request", _each(assumed.FUNCTION_ENDS)),
        ("clocks that are adjusted after a request", _each(assumed.CLOCK_SET)),
        ("clocks are off by up to", f"{off_ms[0]} ms either way where they agree, {off_ms[1]:,} ms where they differ"),
        (
            "the capacity of a partition",
            f"{ceilings.PARTITION_WRITES_S:,} write units a second, without burst capacity",
        ),
    )
    return table(("assumed", "as"), rows, numbers=False)


def _each(chance: float) -> str:
    return f"1 in {round(1 / chance):,}"


def _spread(duration: assumed.Duration) -> str:
    return f"{duration.median_ms} ms in the median, {duration.p99_ms} ms at p99"
