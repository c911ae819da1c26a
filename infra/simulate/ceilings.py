"""AWS's limits, the limits that a rate exceeds, and the quotas to request.

The numbers are the defaults that AWS publishes, most of which can be raised: Service Quotas shows those of an account.
"""

from dataclasses import dataclass
from math import ceil

from infra.deploy.gateway_stage import BURST_LIMIT, RATE_LIMIT

STAGE_REQUESTS_S, STAGE_BURST = RATE_LIMIT, BURST_LIMIT
"""Our own limit, set by `make deploy`."""
GATEWAY_REQUESTS_S, GATEWAY_BURST = 10_000, 5_000
"""API Gateway: of all APIs of an account in a region. Some younger regions begin with a quarter of it."""
GATEWAY_TIMEOUT_S = 29
LAMBDA_CONCURRENCY = 1_000
"""Lambda: of all functions of an account in a region."""
LAMBDA_REQUESTS_S_EACH = 10
"""Lambda: requests a second for each unit of concurrency, however short they are."""
LAMBDA_GROWS, LAMBDA_GROWS_IN_S = 1_000, 10
"""Lambda's scaling rate: environments of one function per interval, or as many requests as they may serve."""
PARTITION_WRITES_S, PARTITION_READS_S = 1_000, 3_000
"""DynamoDB: of one partition, and so of one item. Fixed."""
TABLE_WRITES_S = 40_000
"""DynamoDB: of one on-demand table."""
NEW_TABLE_WRITES_S = 4_000
"""DynamoDB: the initial throughput of a table without warm throughput; later twice its last peak."""


@dataclass(frozen=True, slots=True)
class Need:
    """The quotas that a rate needs."""

    rate: int
    concurrent: int
    """Concurrent requests, by Little's law."""
    concurrency: int
    """The Lambda concurrency quota: for these, and for its limit of requests a second."""
    grows_s: int
    """The time that Lambda takes to scale up from zero."""
    writes_s: int
    partitions: int

    def binds(self) -> list[str]:
        """Return the defaults that this rate exceeds, in the order in which a growing rate reaches them."""
        limits = (
            (STAGE_REQUESTS_S, self.rate, "the stage's throttle"),
            (NEW_TABLE_WRITES_S, self.writes_s, "a new table"),
            (GATEWAY_REQUESTS_S, self.rate, "gateway"),
            (LAMBDA_CONCURRENCY, self.concurrency, "Lambda's concurrency"),
            (TABLE_WRITES_S, self.writes_s, "the table's quota"),
        )
        return [name for limit, needed, name in limits if needed > limit]


def need(rate: int, *, seconds_each: float, writes_each: float) -> Need:
    """Return the needs of `rate` requests a second with a duration and a number of writes each."""
    concurrent = ceil(rate * seconds_each)
    concurrency = max(concurrent, ceil(rate / LAMBDA_REQUESTS_S_EACH))
    writes_s = ceil(rate * writes_each)
    return Need(
        rate=rate,
        concurrent=concurrent,
        concurrency=concurrency,
        grows_s=max(0, ceil(concurrency / LAMBDA_GROWS) - 1) * LAMBDA_GROWS_IN_S,
        writes_s=writes_s,
        partitions=ceil(writes_s / PARTITION_WRITES_S),
    )
