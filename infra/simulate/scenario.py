"""The parameters of a scenario: clients and their rates, functions, and faults.

At high rates only a sample of DynamoDB's partitions is simulated, with every account on these partitions. This is valid
because accounts on different partitions share nothing in DynamoDB. They share functions, so there are enough functions
for all of the traffic.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from random import Random

from infra.simulate import assumptions, ceilings, clients, functions
from infra.simulate.clients import Account

WARM_S = (assumptions.EDGE_MS + assumptions.VIEW_MS + assumptions.ROUND_TRIP.median_ms * 1.5) / 1_000
"""The approximate time that a request takes in a warm function."""
SPARE = 2
"""The number of existing functions divided by the average number of busy functions."""
PARTITION_LOAD = 0.5
"""The load of a partition as a fraction of its capacity, in a table that was warmed for twice its traffic."""

Crowd = Callable[[float, int, Random], list[Account]]
"""A function that returns accounts with their requests, for a rate and a duration in seconds."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """The parameters of one simulated scenario."""

    name: str
    rate: int
    """The requests per second of all compliant clients, including those that aren't simulated."""
    seconds: int
    clocks_off_ms: int = assumptions.CLOCKS_AGREE_MS
    at_most: int = 10**9
    """The approximate number of requests to simulate; the accounts of the other requests are on other partitions."""
    crowd: Crowd = clients.population
    beside: int = 0
    """The requests per second of other accounts, which aren't simulated but need functions, too."""
    pick: functions.Pick = functions.any_idle
    functions_limit: int = 10**9
    warm: bool = True
    changes: int = 5
    """The number of accounts that are changed during the run."""
    away_s: int = 0
    """The duration of an outage of DynamoDB."""
    partitions: int = 0
    """The number of partitions of the table; if 0, as many as the rate needs."""
    seed: int = 1

    def share(self) -> float:
        """Return the fraction of all partitions that is simulated."""
        every = self.all_partitions()
        wanted = every * self.at_most / (self.rate * self.seconds)
        return min(every, max(1, round(wanted))) / every

    def all_partitions(self) -> int:
        """Return the total number of partitions: at least those of a new table, and enough for the rate."""
        new = ceilings.NEW_TABLE_WRITES_S // ceilings.PARTITION_WRITES_S
        return self.partitions or max(new, ceil(self.rate / (ceilings.PARTITION_WRITES_S * PARTITION_LOAD)))

    def warm_functions(self) -> int:
        """Return the initial number of functions: twice as many as all traffic keeps busy, or 0 for a cold start."""
        return ceil((self.rate + self.beside) * WARM_S * SPARE) if self.warm else 0

    def dice(self, what: str) -> Random:
        """Return a random generator for one part of the scenario, which gives the same numbers in every run."""
        return Random(f"{self.seed} {self.name} {what}")  # noqa: S311 - repeatable on purpose
