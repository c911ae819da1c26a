"""What can be played: who asks how often, on which functions, and what goes wrong meanwhile.

At high rates a sample of whole partitions is played, with every account on them. Accounts on different partitions share
nothing in DynamoDB. They do share functions, so there are as many functions as all of the traffic needs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from random import Random

from infra.simulate import assumptions, ceilings, clients, functions
from infra.simulate.clients import Account

WARM_S = (assumptions.EDGE_MS + assumptions.VIEW_MS + assumptions.ROUND_TRIP.median_ms * 1.5) / 1_000
"""How long a function is busy with a request, about."""
SPARE = 2
"""How many times the functions that are at work on average are there."""
PARTITION_LOAD = 0.5
"""A table that was warmed to twice its traffic has partitions that are half busy."""

Crowd = Callable[[float, int, Random], list[Account]]
"""Who asks, at a rate and for so many seconds."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is played."""

    name: str
    rate: int
    """Requests a second of compliant clients, all of the traffic."""
    seconds: int
    clocks_off_ms: int = assumptions.CLOCKS_AGREE_MS
    at_most: int = 10**9
    """How many of the requests are played, about: the rest lies on other partitions."""
    crowd: Crowd = clients.population
    beside: int = 0
    """Requests a second of others that the functions serve as well; they aren't played."""
    pick: functions.Pick = functions.any_idle
    functions_limit: int = 10**9
    warm: bool = True
    changes: int = 5
    """How many accounts are changed meanwhile."""
    away_s: int = 0
    """How long DynamoDB doesn't answer at all."""
    partitions: int = 0
    """How many the table has; 0: as many as the rate needs."""
    seed: int = 1

    def share(self) -> float:
        """Return which part of the partitions is played."""
        every = self.all_partitions()
        wanted = every * self.at_most / (self.rate * self.seconds)
        return min(every, max(1, round(wanted))) / every

    def all_partitions(self) -> int:
        """Return how many partitions the table has: those of a new one, or more after growing."""
        new = ceilings.NEW_TABLE_WRITES_S // ceilings.PARTITION_WRITES_S
        return self.partitions or max(new, ceil(self.rate / (ceilings.PARTITION_WRITES_S * PARTITION_LOAD)))

    def warm_functions(self) -> int:
        """Return how many functions there are at the beginning: what all of the traffic keeps busy, and spare ones."""
        return ceil((self.rate + self.beside) * WARM_S * SPARE) if self.warm else 0

    def dice(self, what: str) -> Random:
        """Return the chance of one part of the scenario, the same at every run."""
        return Random(f"{self.seed} {self.name} {what}")  # noqa: S311 - repeatable on purpose
