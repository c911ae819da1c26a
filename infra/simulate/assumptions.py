"""What the simulation is told rather than finds out: how long things take, and how often they go wrong.

None of it was measured on AWS. Whoever has measurements of their own writes them here and runs `make simulate`.
"""

from dataclasses import dataclass
from math import log
from random import Random

MS = 1_000
S = 1_000_000
P99_Z = 2.326
"""How many standard deviations above the median of a normal distribution its 99th percentile lies."""


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
"""What a warm function does before the admission."""
VIEW_MS = 6
"""What it does afterwards; an owner's own view takes what it takes."""
CLIENT_JITTER_MS = 20
"""By how much requests arrive late, on average."""
LOST_BEFORE = 1 / 4_000
"""How often a call is lost on the way to DynamoDB, so nothing is written and no answer comes."""
LOST_AFTER = 1 / 4_000
"""How often its answer is lost, so it was written all the same."""
FAULT = 1 / 4_000
"""How often DynamoDB answers with a 5xx, having written nothing."""
FUNCTION_ENDS = 1 / 2_000
"""How often a function's last request is its last: Lambda ends it, and another starts with nothing in memory."""
CLOCK_SET = 1 / 500
"""How often a function's clock is set anew between two requests, forth or back."""
CLOCKS_AGREE_MS = 10
"""How far the clocks of functions are off where they agree."""
CLOCKS_DIFFER_MS = 3_000
"""How far they are off where they don't: far worse than a time service keeps them."""
CACHED_S = 300
"""How long the gateway believes the authorizer."""
