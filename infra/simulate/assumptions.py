"""The assumptions of the simulation: durations, and the probabilities of faults.

None of them was measured on AWS. To use your own measurements, change them here and run `make simulate`.
"""

from dataclasses import dataclass
from math import log
from random import Random

MS = 1_000
S = 1_000_000
P99_Z = 2.326
"""The 99th percentile of a normal distribution, in standard deviations above the median."""


@dataclass(frozen=True, slots=True)
class Duration:
    """A log-normal duration, which is never negative and has a long tail, like the duration of network round trips."""

    median_ms: float
    p99_ms: float

    def draw_us(self, dice: Random) -> int:
        """Return a random duration in µs."""
        sigma = log(self.p99_ms / self.median_ms) / P99_Z
        return int(dice.lognormvariate(log(self.median_ms * MS), sigma))


ROUND_TRIP = Duration(4, 20)
"""The duration of one DynamoDB call, as a function measures it."""
COLD_START = Duration(400, 900)
"""The time from a request for which no function is idle to the first line of Python in a new function."""
EDGE_MS = 2
"""The time that a warm function takes before the admission."""
VIEW_MS = 6
"""The time that a function takes after the admission, in Latchkey's own views."""
CLIENT_JITTER_MS = 20
"""The average random delay that is added to each request's arrival."""
LOST_BEFORE = 1 / 4_000
"""The probability that a call to DynamoDB is lost: nothing is written, and there is no response."""
LOST_AFTER = 1 / 4_000
"""The probability that the response of a DynamoDB call is lost, after the write."""
FAULT = 1 / 4_000
"""The probability that DynamoDB responds with a 5xx and writes nothing."""
FUNCTION_ENDS = 1 / 2_000
"""The probability that Lambda ends a function after a request. A new function with empty caches replaces it."""
CLOCK_SET = 1 / 500
"""The probability that a function's clock is adjusted between two requests, forward or back."""
CLOCKS_AGREE_MS = 10
"""The maximum clock skew in scenarios with synchronized clocks."""
CLOCKS_DIFFER_MS = 3_000
"""The maximum clock skew in scenarios with unsynchronized clocks, far more than a time service allows."""
CACHED_S = 300
"""The time for which API Gateway caches the authorizer's policy."""
