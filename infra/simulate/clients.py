"""Create simulated clients, both compliant and flooding, with the arrival times of their requests.

A compliant client sends at most 80 % of its burst in any second, and 80 % of its quota in any hour.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from random import Random

from chalicelib.limits.counter_items import partition
from chalicelib.limits.tiers import ENTERPRISE, FREE, PRO, Tier
from infra.simulate import assumptions
from infra.simulate.assumptions import MS, S

KEEPS_UNDER = 0.8
SPRINT_REQUESTS = {FREE: 400, PRO: 800}
"""The number of requests that a client sends as one batch, at 80 % of its burst limit."""
PAGE_REQUESTS_S = {FREE: 0.2, PRO: 2.0}
"""The average rate of a client that opens pages, each with a few requests: at most 80 % of its quota."""
PIPELINE_REQUESTS_S = 400
"""The maximum constant rate of an Enterprise client."""
FLOOD_REQUESTS_S, FLOOD_S = 300, 3
SPENDER_REQUESTS_S, SPENDER_S, SPENDER_LEFT = 5, 60, 100
NEIGHBOURS_REQUESTS_S = 500
SHARES = {"pages": 0.2, "sprints": 0.1, "pipelines": 0.4}
"""The shares of the compliant requests, by kind of client. Free and Pro each send these shares of pages and sprints."""
FLOODS = 0.1
"""The number of flood requests per compliant request."""


@dataclass(slots=True, eq=False)
class Account:
    """One simulated account."""

    subject: str
    tier: Tier
    compliant: bool
    arrives_us: list[int] = field(default_factory=list)
    used_before: int = 0
    isolated: bool = False
    """Whether the counters have their own partition, because DynamoDB split a partition under the account's traffic."""
    changes: list[tuple[int, int]] = field(default_factory=list)
    """For each change that sets the account's invalidation mark, the times (µs) of the change and of its response."""

    @property
    def partition(self) -> str:
        """Return the partition key of the account's counters."""
        return partition(self.subject, self.tier)


def population(rate: float, seconds: int, dice: Random) -> list[Account]:
    """Return compliant accounts with `rate` requests per second in total, and additional accounts that flood."""
    found = [
        *_pages(FREE, rate, seconds, dice),
        *_pages(PRO, rate, seconds, dice),
        *_sprints(FREE, rate, seconds, dice),
        *_sprints(PRO, rate, seconds, dice),
        *_pipelines(rate, seconds, dice),
        *_floods(rate, seconds, dice),
        _spender(seconds, dice),
    ]
    return [account for account in found if account.arrives_us]


def hot(rate: float, seconds: int, dice: Random) -> list[Account]:
    """Return one Enterprise account with `rate` requests per second; a rate over 80 % of its burst is not compliant."""
    compliant = rate <= KEEPS_UNDER * ENTERPRISE.burst
    times = _at_rate(rate, 0, seconds * S, dice)
    arrives_us = _delay(_space_out(times, ENTERPRISE) if compliant else times, dice)
    return [Account("acc_hot", ENTERPRISE, compliant, arrives_us, isolated=True)]


def flooded(rate: float, seconds: int, dice: Random) -> list[Account]:
    """Return accounts that use half the capacity of one partition, and a Free account that sends `rate` requests/s."""
    neighbours = [account for account in population(NEIGHBOURS_REQUESTS_S, seconds, dice) if account.compliant]
    arrives_us = _delay(_at_rate(rate, 0, seconds * S, dice), dice)
    return [*neighbours, Account("acc_flood", FREE, False, arrives_us)]


def _pages(tier: Tier, rate: float, seconds: int, dice: Random) -> Iterator[Account]:
    together = SHARES["pages"] * rate
    clients = max(1, round(together / PAGE_REQUESTS_S[tier]))
    most = round(KEEPS_UNDER * tier.burst)
    visits_s = together / clients / ((1 + most) / 2)
    for number in range(clients):
        times = [
            visit + dice.randrange(S)
            for visit in _at_rate(visits_s, 0, seconds * S, dice)
            for _ in range(dice.randint(1, most))
        ]
        yield Account(f"acc_{tier.name}_pages_{number}", tier, True, _delay(_space_out(sorted(times), tier), dice))


def _sprints(tier: Tier, rate: float, seconds: int, dice: Random) -> Iterator[Account]:
    requests = min(SPRINT_REQUESTS[tier], round(KEEPS_UNDER * tier.burst) * seconds)
    every_us = S / (KEEPS_UNDER * tier.burst)
    for number in range(round(SHARES["sprints"] * rate * seconds / requests)):
        begins_us = dice.uniform(0, seconds * S - requests * every_us)
        times = (int(begins_us + at * every_us) for at in range(requests))
        yield Account(f"acc_{tier.name}_sprint_{number}", tier, True, _delay(_space_out(times, tier), dice))


def _pipelines(rate: float, seconds: int, dice: Random) -> Iterator[Account]:
    together = SHARES["pipelines"] * rate
    clients = max(1, round(together / PIPELINE_REQUESTS_S))
    for number in range(clients):
        arrives_us = _delay(_space_out(_at_rate(together / clients, 0, seconds * S, dice), ENTERPRISE), dice)
        yield Account(f"acc_pipeline_{number}", ENTERPRISE, True, arrives_us, isolated=together / clients > 100)


def _floods(rate: float, seconds: int, dice: Random) -> Iterator[Account]:
    lasts_s = min(FLOOD_S, seconds)
    for number in range(max(1, round(FLOODS * rate * seconds / (FLOOD_REQUESTS_S * lasts_s)))):
        begins_us = dice.randint(0, (seconds - lasts_s) * S)
        times = _at_rate(FLOOD_REQUESTS_S, begins_us, begins_us + lasts_s * S, dice)
        yield Account(f"acc_flood_{number}", FREE, False, _delay(times, dice))


def _spender(seconds: int, dice: Random) -> Account:
    """Return an account that exhausts its quota shortly before the hour ends, and keeps sending in the next hour."""
    half_us = min(SPENDER_S, seconds) * S // 2
    times = _at_rate(SPENDER_REQUESTS_S, seconds * S // 2 - half_us, seconds * S // 2 + half_us, dice)
    left = min(SPENDER_LEFT, max(1, half_us // S * SPENDER_REQUESTS_S // 2))
    return Account("acc_spender", FREE, False, _delay(times, dice), used_before=(FREE.quota or 0) - left)


def _at_rate(rate_s: float, from_us: int, until_us: int, dice: Random) -> list[int]:
    times = []
    at_us = from_us + dice.expovariate(rate_s) * S
    while at_us < until_us:
        times.append(int(at_us))
        at_us += dice.expovariate(rate_s) * S
    return times


def _space_out(times: Iterable[int], tier: Tier) -> Iterator[int]:
    """Delay the requests of a client that exceed its self-imposed limit of 80 % of the burst."""
    sent: deque[int] = deque(maxlen=round(KEEPS_UNDER * tier.burst))
    for wanted_us in times:
        at_us = max(wanted_us, sent[0] + S) if len(sent) == sent.maxlen else wanted_us
        sent.append(at_us)
        yield at_us


def _delay(times: Iterable[int], dice: Random) -> list[int]:
    return sorted(at_us + int(dice.expovariate(1 / (assumptions.CLIENT_JITTER_MS * MS))) for at_us in times)
