"""Detect unusual hours of a credential by comparison with its own past 30 days. The module uses no clock and no
database.

Few false alarms matter more than full coverage. A finding needs enough history, a large absolute number, and a value
far above that of the same credential at the same time on other days. Each episode is reported once, when it begins, so
the hour is also compared with the hours directly before it.
"""

from dataclasses import dataclass, field
from math import log
from statistics import median

from chalicelib.core.clock import DAY_S, HOUR_S
from chalicelib.detection.usage_history import History, Hour

NEW_NETWORK = "new_network"
TRAFFIC = "unusual_traffic"
DENIALS = "many_denials"
REJECTIONS = "many_refusals"

PAST_S = 30 * DAY_S
"""Length of the history; counters are kept for 31 days."""
AGE_MIN_S = 2 * DAY_S
"""A credential younger than this has no baseline, because everything it does is new."""
TRAFFIC_SETTLES_S = 7 * DAY_S
"""The history that is needed to judge traffic: a week, so that it includes a weekend."""
NETWORKS_SETTLE_S = 3 * DAY_S
"""A credential may appear from new networks for this long, because it is still being deployed."""
ACTIVE_HOURS_MIN = 24
"""The number of hours with requests that a baseline needs: a job that ran twice has no usual number of requests."""

Z_MIN = 6.0
"""The minimum deviation above the median, in robust standard deviations. With SIGMA_MIN this is 4.5 times the usual
traffic.
"""
SIGMA_MIN = 0.25
"""The minimum standard deviation (of logarithms): a job that has always sent 500 requests may send 700."""
MAD_TO_SIGMA = 1.4826
"""The factor from the median absolute deviation of a normal distribution to its standard deviation."""
ABOVE_MAXIMUM = 2.0
"""The factor by which an hour must exceed the maximum at that time of day, which includes weekends."""
RARE_ABOVE_MAXIMUM = 4.0
"""The factor for a credential that is rarely used at that time of day, above the maximum of all its hours."""
SMOOTHING = 10
"""A constant added to each count, so that one request and five requests don't differ by a factor of five."""
DAYS_COMPARED = 14
"""The number of days whose same hour is compared: over more days, growing traffic would exceed its own median."""
DAYS_MIN = 7
EPISODE_HOURS = 3
"""The number of preceding hours that belong to the same episode."""

REQUESTS_MIN = 100
DENIALS_MIN = 50
REJECTIONS_MIN = 100
STORM_FACTOR = 4
"""The factor above the worst hour of the history from which denials or rejections are unusual."""
ROAMING_HOURS_MAX = 5
"""A credential with new networks in so many hours since it was deployed often changes networks: another one isn't
reported.
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """An unusual hour of a credential, with the numbers that show it."""

    kind: str
    hour: int
    numbers: dict[str, int] = field(default_factory=dict)


def detect(history: History, hour: int) -> list[Finding]:
    """Return the findings for the hour that began at `hour`, which may still be running."""
    now = history.get(hour)
    past = {at: past_hour for at, past_hour in history.items() if hour - PAST_S <= at < hour}
    if now is None or not past or hour - min(past) < AGE_MIN_S:
        return []
    found = [_traffic(past, hour, now), _denials(past, hour, now), _rejections(past, hour, now)]
    return [finding for finding in (_network(past, hour, now), *found) if finding is not None]


def _network(past: History, hour: int, now: Hour) -> Finding | None:
    first = min(past)
    # After an overflow, a network that seems new may be an earlier one that was not recorded.
    if hour - first < NETWORKS_SETTLE_S or any(past_hour.networks_missed for past_hour in past.values()):
        return None
    known: set[str] = set()
    roaming_hours = 0
    for at in sorted(past):
        if past[at].networks - known and at - first >= NETWORKS_SETTLE_S:
            roaming_hours += 1
        known |= past[at].networks
    new = now.networks - known
    # Hours from before networks were recorded have none, so no network counts as new.
    if not new or not known or roaming_hours >= ROAMING_HOURS_MAX:
        return None
    return Finding(NEW_NETWORK, hour, {"networks": len(new), "known": len(known)})


def _traffic(past: History, hour: int, now: Hour) -> Finding | None:
    busy = {at: past_hour.requests for at, past_hour in past.items() if past_hour.requests}
    if now.requests < REQUESTS_MIN or len(busy) < ACTIVE_HOURS_MIN or hour - min(past) < TRAFFIC_SETTLES_S:
        return None
    same = [busy[at] for at in range(hour - DAYS_COMPARED * DAY_S, hour, DAY_S) if at in busy]
    if len(same) >= DAYS_MIN:
        compared, factor = same, ABOVE_MAXIMUM
        # After a change to or from daylight saving time, the same time of day is an hour earlier or later.
        around = [count for at, count in busy.items() if _time_of_day_distance_s(at, hour) <= HOUR_S]
    else:
        compared, factor = list(busy.values()), RARE_ABOVE_MAXIMUM
        around = compared
    preceding = [busy.get(hour - back * HOUR_S, 0) for back in range(1, EPISODE_HOURS + 1)]
    usual = median(compared)
    if _robust_z(compared, now.requests) < Z_MIN or now.requests <= factor * max(*around, *preceding):
        return None
    return Finding(TRAFFIC, hour, {"requests": now.requests, "usual": round(usual)})


def _robust_z(compared: list[int], count: int) -> float:
    """Return how many robust standard deviations `count` is above the others, on a logarithmic scale."""
    logs = [log(SMOOTHING + other) for other in compared]
    middle = median(logs)
    sigma = MAD_TO_SIGMA * median(abs(value - middle) for value in logs)
    return (log(SMOOTHING + count) - middle) / max(sigma, SIGMA_MIN)


def _time_of_day_distance_s(at: int, hour: int) -> int:
    """Return the distance between two times of day, also across midnight."""
    ahead = (at - hour) % DAY_S
    return min(ahead, DAY_S - ahead)


def _denials(past: History, hour: int, now: Hour) -> Finding | None:
    worst = max(past_hour.denials for past_hour in past.values())
    if now.denials < DENIALS_MIN or now.denials <= STORM_FACTOR * worst:
        return None
    # More requests cause more denials, so the share of denials must have risen too.
    denied = sum(past_hour.denials for past_hour in past.values())
    requests = sum(past_hour.requests for past_hour in past.values())
    if now.denials * requests <= STORM_FACTOR * denied * now.requests:
        return None
    return Finding(DENIALS, hour, {"denials": now.denials, "most_before": worst})


def _rejections(past: History, hour: int, now: Hour) -> Finding | None:
    worst = max(past_hour.rejections for past_hour in past.values())
    if now.rejections < REJECTIONS_MIN or now.rejections <= STORM_FACTOR * worst:
        return None
    return Finding(REJECTIONS, hour, {"refusals": now.rejections, "most_before": worst})
