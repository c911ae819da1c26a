"""The parameters of a scenario: clients and their rates, functions, and faults.

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
"""The approximate duration of a request in a function."""
SPARE = 2
"""The ratio of existing functions to those that are busy on average."""
PARTITION_LOAD = 0.5
"""The load of a partition of a table that was warmed to twice its traffic."""

Crowd = Callable[[float, int, Random], list[Account]]
"""Returns accounts with their requests, for a rate and a number of seconds."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario."""

    name: str
    rate: int
    """Requests a second of compliant clients, all of the traffic."""
    seconds: int
    clocks_off_ms: int = assumptions.CLOCKS_AGREE_MS
    at_most: int = 10**9
    """How many of the requests are played, about: the rest lies on other partitions."""
    crowd: Crowd = clients.population
    beside: int = 0
    """Requests a second of other accounts that the functions also serve; they aren't simulated."""
    pick: functions.Pick = functions.any_idle
    functions_limit: int = 10**9
    warm: bool = True
    changes: int = 5
    """The number of accounts that are changed during the run."""
    away_s: int = 0
    """The duration of an outage of DynamoDB."""
    partitions: int = 0
    """The table's number of partitions; 0: as many as the rate needs."""
    seed: int = 1

    def share(self) -> float:
        """Return the share of the partitions that is simulated."""
        every = self.all_partitions()
        wanted = every * self.at_most / (self.rate * self.seconds)
        return min(every, max(1, round(wanted))) / every

    def all_partitions(self) -> int:
        """Return the number of partitions: those of a new table, or more after growth."""
        new = ceilings.NEW_TABLE_WRITES_S // ceilings.PARTITION_WRITES_S
        return self.partitions or max(new, ceil(self.rate / (ceilings.PARTITION_WRITES_S * PARTITION_LOAD)))

    def warm_functions(self) -> int:
        """Return the initial number of functions: those that all traffic keeps busy, and spare ones."""
        return ceil((self.rate + self.beside) * WARM_S * SPARE) if self.warm else 0

    def dice(self, what: str) -> Random:
        """Return the random generator of one part of the scenario, the same in every run."""
        return Random(f"{self.seed} {self.name} {what}")  # noqa: S311 - repeatable on purpose
