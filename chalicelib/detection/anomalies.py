"""What is unusual about one hour of a credential, held against its own past 30 days. Pure: no clock, no database.

Better silent than wrong: nobody heeds a watch that barks every night. So whoever is judged has a past long enough, the
number is large in itself, and it is far beyond what the same credential did at the same time of other days. An episode
is told when it begins: what goes on for hours is compared with the hours just before, too.
"""

from dataclasses import dataclass, field
from math import log
from statistics import median

from chalicelib.core.clock import DAY_S, HOUR_S
from chalicelib.detection.usage_history import History, Hour

NEW_NETWORK = "new_network"
TRAFFIC = "unusual_traffic"
DENIALS = "many_denials"
REFUSALS = "many_refusals"

PAST_S = 30 * DAY_S
"""How far back a past reaches; the counters are kept for 31 days."""
YOUNG_S = 2 * DAY_S
"""A credential this young has no habits: whatever it does is its first time."""
TRAFFIC_SETTLES_S = 7 * DAY_S
"""How long its numbers must be known: what a weekend is like shows only when there was one."""
NETWORKS_SETTLE_S = 3 * DAY_S
"""How long a credential may turn up from new networks while it is being put to use."""
ACTIVE_HOURS_MIN = 24
"""How many busy hours make a past: a job that ran twice has no usual number of requests."""

Z_MIN = 6.0
"""How many robust standard deviations are far: 4.5 times the usual at the floor below."""
SIGMA_MIN = 0.25
"""The least spread (of logarithms) that traffic is trusted with: a job that always sends 500 may send 700."""
MAD_TO_SIGMA = 1.4826
"""What makes the median absolute deviation of a normal distribution its standard deviation."""
ABOVE_THE_MOST = 2.0
"""How many times the most that was ever seen at that time of day: a weekend that is unlike a week has been seen."""
SELDOM_ABOVE_THE_MOST = 4.0
"""The same for a credential that is seldom used at that time of day: it is compared with all its hours."""
FEW = 10
"""Added to each count: between one request and five is chance, no factor of five."""
DAYS_COMPARED = 14
"""How many days a time of day is compared with: in more, traffic that grows would leave its own median behind."""
DAYS_MIN = 7
JUST_BEFORE = 3
"""How many hours before make one episode with this one."""

REQUESTS_MIN = 100
DENIALS_MIN = 50
REFUSALS_MIN = 100
STORM = 4
"""How many times the worst hour of its past a storm of denials or refusals is."""
ROAMS_HOURS = 5
"""In so many hours since it settled it turned up from a new network: then one more says nothing."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something unusual that a credential did in an hour, and the numbers that say so."""

    kind: str
    hour: int
    numbers: dict[str, int] = field(default_factory=dict)


def look(history: History, hour: int) -> list[Finding]:
    """Return what is unusual about the hour that began at `hour`; a running hour may be looked at as well."""
    now = history.get(hour)
    past = {at: seen for at, seen in history.items() if hour - PAST_S <= at < hour}
    if now is None or not past or hour - min(past) < YOUNG_S:
        return []
    found = [_traffic(past, hour, now), _denials(past, hour, now), _refusals(past, hour, now)]
    return [finding for finding in (_network(past, hour, now), *found) if finding is not None]


def _network(past: History, hour: int, now: Hour) -> Finding | None:
    first = min(past)
    # Where the record overflowed, a network that is new to us may be an old one that found no room.
    if hour - first < NETWORKS_SETTLE_S or any(seen.networks_missed for seen in past.values()):
        return None
    known: set[str] = set()
    roamed = 0
    for at in sorted(past):
        if past[at].networks - known and at - first >= NETWORKS_SETTLE_S:
            roamed += 1
        known |= past[at].networks
    new = now.networks - known
    # Without any record of networks, from before they were recorded, nothing is new.
    if not new or not known or roamed >= ROAMS_HOURS:
        return None
    return Finding(NEW_NETWORK, hour, {"networks": len(new), "known": len(known)})


def _traffic(past: History, hour: int, now: Hour) -> Finding | None:
    busy = {at: seen.requests for at, seen in past.items() if seen.requests}
    if now.requests < REQUESTS_MIN or len(busy) < ACTIVE_HOURS_MIN or hour - min(past) < TRAFFIC_SETTLES_S:
        return None
    same = [busy[at] for at in range(hour - DAYS_COMPARED * DAY_S, hour, DAY_S) if at in busy]
    if len(same) >= DAYS_MIN:
        compared, factor = same, ABOVE_THE_MOST
        # An hour earlier or later is the same time of day where clocks are put forward.
        around = [count for at, count in busy.items() if _apart(at, hour) <= HOUR_S]
    else:
        compared, factor = list(busy.values()), SELDOM_ABOVE_THE_MOST
        around = compared
    just_before = [busy.get(hour - back * HOUR_S, 0) for back in range(1, JUST_BEFORE + 1)]
    usual = median(compared)
    if _robust_z(compared, now.requests) < Z_MIN or now.requests <= factor * max(*around, *just_before):
        return None
    return Finding(TRAFFIC, hour, {"requests": now.requests, "usual": round(usual)})


def _robust_z(compared: list[int], count: int) -> float:
    """How far beyond the others, in their own spread. Logarithms: traffic grows and varies by factors."""
    logs = [log(FEW + other) for other in compared]
    middle = median(logs)
    sigma = MAD_TO_SIGMA * median(abs(one - middle) for one in logs)
    return (log(FEW + count) - middle) / max(sigma, SIGMA_MIN)


def _apart(at: int, hour: int) -> int:
    """How far two times of day are from each other, around midnight too."""
    ahead = (at - hour) % DAY_S
    return min(ahead, DAY_S - ahead)


def _denials(past: History, hour: int, now: Hour) -> Finding | None:
    worst = max(seen.denials for seen in past.values())
    if now.denials < DENIALS_MIN or now.denials <= STORM * worst:
        return None
    # More requests bring more denials: it is a storm when they are a larger part of them, too.
    denied, asked = sum(seen.denials for seen in past.values()), sum(seen.requests for seen in past.values())
    if now.denials * asked <= STORM * denied * now.requests:
        return None
    return Finding(DENIALS, hour, {"denials": now.denials, "most_before": worst})


def _refusals(past: History, hour: int, now: Hour) -> Finding | None:
    worst = max(seen.refusals for seen in past.values())
    if now.refusals < REFUSALS_MIN or now.refusals <= STORM * worst:
        return None
    return Finding(REFUSALS, hour, {"refusals": now.refusals, "most_before": worst})
