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
    """A log-normal duration: never negative, with a long tail, as round trips have."""

    median_ms: float
    p99_ms: float

    def draw_us(self, dice: Random) -> int:
        """Return one duration in µs."""
        sigma = log(self.p99_ms / self.median_ms) / P99_Z
        return int(dice.lognormvariate(log(self.median_ms * MS), sigma))


ROUND_TRIP = Duration(4, 20)
"""One DynamoDB call, seen from a function."""
COLD_START = Duration(400, 900)
"""From a request that finds no idle function to its first line of Python."""
EDGE_MS = 2
"""A warm function's duration before the admission."""
VIEW_MS = 6
"""Its duration afterwards, for Latchkey's own views."""
CLIENT_JITTER_MS = 20
"""The average delay of requests."""
LOST_BEFORE = 1 / 4_000
"""The probability that a call to DynamoDB is lost: nothing is written, and there is no response."""
LOST_AFTER = 1 / 4_000
"""The probability that its response is lost, after the write."""
FAULT = 1 / 4_000
"""The probability of a 5xx from DynamoDB, without a write."""
FUNCTION_ENDS = 1 / 2_000
"""The probability that Lambda ends a function after a request; another starts with empty caches."""
CLOCK_SET = 1 / 500
"""The probability that a function's clock is adjusted between two requests, forward or back."""
CLOCKS_AGREE_MS = 10
"""The maximal clock skew where clocks agree."""
CLOCKS_DIFFER_MS = 3_000
"""The maximal clock skew where they differ: far more than with a time service."""
CACHED_S = 300
"""The gateway's cache duration of the authorizer's policy."""
