"""Who asks: clients that keep within their limits, floods that don't, and when each of their requests arrives.

A compliant client counts for itself: in any second it sends at most 80 % of its burst, in any hour 80 % of its quota.
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
"""How many a client sends in one go, at its 80 %, when it has a batch to work off."""
PAGE_REQUESTS_S = {FREE: 0.2, PRO: 2.0}
"""How often one client asks on average, a handful at a time: 80 % of its quota, or a little less."""
PIPELINE_REQUESTS_S = 400
"""How often an Enterprise client asks, all the time, at most."""
FLOOD_REQUESTS_S, FLOOD_S = 300, 3
SPENDER_REQUESTS_S, SPENDER_S, SPENDER_LEFT = 5, 60, 100
NEIGHBOURS_REQUESTS_S = 500
SHARES = {"pages": 0.2, "sprints": 0.1, "pipelines": 0.4}
"""Of the compliant requests: pages and sprints of Free and of Pro each, the rest Enterprise's."""
FLOODS = 0.1
"""Requests of floods for each compliant one."""


@dataclass(slots=True, eq=False)
class Account:
    """One account and what is known of it."""

    subject: str
    tier: Tier
    compliant: bool
    arrives_us: list[int] = field(default_factory=list)
    used_before: int = 0
    isolated: bool = False
    """Whether it asks so much that DynamoDB has split its partition until its counters had one to themselves."""
    changes: list[tuple[int, int]] = field(default_factory=list)
    """Changes whose mark was set: when the change was made, and when its maker was told that it is felt (µs)."""

    @property
    def partition(self) -> str:
        """Return the hash key of its counters."""
        return partition(self.subject, self.tier)


def population(rate: float, seconds: int, dice: Random) -> list[Account]:
    """Return accounts whose compliant ones ask `rate` times a second together, and floods beside them."""
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
    """Return one Enterprise account that asks `rate` times a second, compliant or not."""
    compliant = rate <= KEEPS_UNDER * ENTERPRISE.burst
    times = _at_rate(rate, 0, seconds * S, dice)
    arrives_us = _late(_spaced(times, ENTERPRISE) if compliant else times, dice)
    return [Account("acc_hot", ENTERPRISE, compliant, arrives_us, isolated=True)]


def flooded(rate: float, seconds: int, dice: Random) -> list[Account]:
    """Return the accounts of one partition, half busy, and one of them that floods at `rate` all the time."""
    neighbours = [account for account in population(NEIGHBOURS_REQUESTS_S, seconds, dice) if account.compliant]
    arrives_us = _late(_at_rate(rate, 0, seconds * S, dice), dice)
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
        yield Account(f"acc_{tier.name}_pages_{number}", tier, True, _late(_spaced(sorted(times), tier), dice))


def _sprints(tier: Tier, rate: float, seconds: int, dice: Random) -> Iterator[Account]:
    requests = min(SPRINT_REQUESTS[tier], round(KEEPS_UNDER * tier.burst) * seconds)
    every_us = S / (KEEPS_UNDER * tier.burst)
    for number in range(round(SHARES["sprints"] * rate * seconds / requests)):
        begins_us = dice.uniform(0, seconds * S - requests * every_us)
        times = (int(begins_us + at * every_us) for at in range(requests))
        yield Account(f"acc_{tier.name}_sprint_{number}", tier, True, _late(_spaced(times, tier), dice))


def _pipelines(rate: float, seconds: int, dice: Random) -> Iterator[Account]:
    together = SHARES["pipelines"] * rate
    clients = max(1, round(together / PIPELINE_REQUESTS_S))
    for number in range(clients):
        times = _spaced(_at_rate(together / clients, 0, seconds * S, dice), ENTERPRISE)
        yield Account(f"acc_pipeline_{number}", ENTERPRISE, True, _late(times, dice), isolated=together / clients > 100)


def _floods(rate: float, seconds: int, dice: Random) -> Iterator[Account]:
    lasts_s = min(FLOOD_S, seconds)
    for number in range(max(1, round(FLOODS * rate * seconds / (FLOOD_REQUESTS_S * lasts_s)))):
        begins_us = dice.randint(0, (seconds - lasts_s) * S)
        times = _at_rate(FLOOD_REQUESTS_S, begins_us, begins_us + lasts_s * S, dice)
        yield Account(f"acc_flood_{number}", FREE, False, _late(times, dice))


def _spender(seconds: int, dice: Random) -> Account:
    """An account that runs into its quota shortly before the full hour, and goes on asking across it."""
    half_us = min(SPENDER_S, seconds) * S // 2
    times = _at_rate(SPENDER_REQUESTS_S, seconds * S // 2 - half_us, seconds * S // 2 + half_us, dice)
    left = min(SPENDER_LEFT, max(1, half_us // S * SPENDER_REQUESTS_S // 2))
    return Account("acc_spender", FREE, False, _late(times, dice), used_before=(FREE.quota or 0) - left)


def _at_rate(rate_s: float, from_us: int, until_us: int, dice: Random) -> list[int]:
    times = []
    at_us = from_us + dice.expovariate(rate_s) * S
    while at_us < until_us:
        times.append(int(at_us))
        at_us += dice.expovariate(rate_s) * S
    return times


def _spaced(times: Iterable[int], tier: Tier) -> Iterator[int]:
    """Put off what would be more than the client allows itself in a second."""
    sent: deque[int] = deque(maxlen=round(KEEPS_UNDER * tier.burst))
    for wanted_us in times:
        at_us = max(wanted_us, sent[0] + S) if len(sent) == sent.maxlen else wanted_us
        sent.append(at_us)
        yield at_us


def _late(times: Iterable[int], dice: Random) -> list[int]:
    return sorted(at_us + int(dice.expovariate(1 / (assumptions.CLIENT_JITTER_MS * MS))) for at_us in times)
