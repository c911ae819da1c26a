"""AWS's default limits, which of them a request rate exceeds, and the quotas that the rate needs.

AWS can raise most of these limits. Service Quotas shows the values for an account.
"""

from dataclasses import dataclass
from math import ceil

from infra.deploy.gateway_stage import BURST_LIMIT, RATE_LIMIT

STAGE_REQUESTS_S, STAGE_BURST = RATE_LIMIT, BURST_LIMIT
"""The rate limit of the API Gateway stage, which `make deploy` sets."""
GATEWAY_REQUESTS_S, GATEWAY_BURST = 10_000, 5_000
"""API Gateway's limit for all APIs of an account in a region. In some newer regions it is only a quarter."""
GATEWAY_TIMEOUT_S = 29
LAMBDA_CONCURRENCY = 1_000
"""Lambda's concurrency limit for all functions of an account in a region."""
LAMBDA_REQUESTS_S_EACH = 10
"""Lambda's limit of requests per second for each unit of concurrency, even if the requests are very short."""
LAMBDA_GROWS, LAMBDA_GROWS_IN_S = 1_000, 10
"""Lambda's scaling rate: the number of execution environments that a function may add, and the interval in seconds."""
PARTITION_WRITES_S, PARTITION_READS_S = 1_000, 3_000
"""DynamoDB's limit for one partition, and therefore for one item. It can't be raised."""
TABLE_WRITES_S = 40_000
"""DynamoDB's limit for one on-demand table."""
NEW_TABLE_WRITES_S = 4_000
"""DynamoDB's limit for a new on-demand table without warm throughput. Later the limit is twice the previous peak."""


@dataclass(frozen=True, slots=True)
class Need:
    """The quotas that a request rate needs."""

    rate: int
    concurrent: int
    """The number of concurrent requests, by Little's law."""
    concurrency: int
    """The required Lambda concurrency quota, which also determines the maximum number of requests per second."""
    grows_s: int
    """The time that Lambda takes to scale up from zero."""
    writes_s: int
    partitions: int

    def binds(self) -> list[str]:
        """Return the default limits that this rate exceeds, in the order in which an increasing rate exceeds them."""
        limits = (
            (STAGE_REQUESTS_S, self.rate, "the stage's throttle"),
            (NEW_TABLE_WRITES_S, self.writes_s, "a new table"),
            (GATEWAY_REQUESTS_S, self.rate, "gateway"),
            (LAMBDA_CONCURRENCY, self.concurrency, "Lambda's concurrency"),
            (TABLE_WRITES_S, self.writes_s, "the table's quota"),
        )
        return [name for limit, needed, name in limits if needed > limit]


def need(rate: int, *, seconds_each: float, writes_each: float) -> Need:
    """Return the quotas for `rate` requests per second, given the duration and the writes of one request."""
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
