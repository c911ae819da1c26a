"""Detect hours in which the use of a credential was unusual, compared with its own last 30 days.

This module reads neither the clock nor the database. Few false alarms matter more than finding everything. An hour is
reported only if the history of the credential is long enough. The number of requests, denials or rejections is reported
only if it is large and far above the numbers in earlier hours of the same credential. Each episode is reported once,
when it begins: therefore the hour is also compared with the hours directly before it.
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
"""The length of the history. Counters are stored for 31 days."""
AGE_MIN_S = 2 * DAY_S
"""A credential whose first use is more recent than this has no findings, because everything that it does is new."""
TRAFFIC_SETTLES_S = 7 * DAY_S
"""The minimum length of the history for findings about traffic. A week includes a weekend."""
NETWORKS_SETTLE_S = 3 * DAY_S
"""For this long after the first use of a credential, new networks aren't reported, because the user may still be
deploying the credential to more servers.
"""
ACTIVE_HOURS_MIN = 24
"""The minimum number of hours with requests in the history. A job that ran only twice has no usual number of requests.
"""

Z_MIN = 6.0
"""The minimum deviation above the median, in robust standard deviations. Together with SIGMA_MIN it means at least 4.5
times the usual traffic.
"""
SIGMA_MIN = 0.25
"""The minimum standard deviation of the logarithms. Without it, 700 requests of a job that always sent 500 would be an
extreme deviation.
"""
MAD_TO_SIGMA = 1.4826
"""The factor by which the standard deviation of a normal distribution exceeds its median absolute deviation."""
ABOVE_MAXIMUM = 2.0
"""Traffic is unusual only if it exceeds the maximum at this time of day, weekends included, by more than this factor.
"""
RARE_ABOVE_MAXIMUM = 4.0
"""The same factor for a credential that is rarely used at this time of day. It applies to the maximum of all hours."""
SMOOTHING = 10
"""A constant that is added to each count, so that five requests aren't treated as five times as many as one."""
DAYS_COMPARED = 14
"""The number of days of which the same hour is compared. With more days, steady growth would look unusual."""
DAYS_MIN = 7
EPISODE_HOURS = 3
"""The number of hours before an hour that belong to the same episode."""

REQUESTS_MIN = 100
DENIALS_MIN = 50
REJECTIONS_MIN = 100
STORM_FACTOR = 4
"""Denials or rejections are unusual if they exceed those of the worst hour of the history by more than this factor."""
ROAMING_HOURS_MAX = 5
"""If new networks appeared in at least this many hours of the history, the credential changes networks often, and a new
network isn't reported. The first `NETWORKS_SETTLE_S` seconds of the history aren't counted.
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """An hour in which the use of a credential was unusual, with the counts that show this."""

    kind: str
    hour: int
    numbers: dict[str, int] = field(default_factory=dict)


def detect(history: History, hour: int) -> list[Finding]:
    """Return the findings for the hour that began at `hour`. This may be the current hour."""
    now = history.get(hour)
    past = {at: past_hour for at, past_hour in history.items() if hour - PAST_S <= at < hour}
    if now is None or not past or hour - min(past) < AGE_MIN_S:
        return []
    found = [_traffic(past, hour, now), _denials(past, hour, now), _rejections(past, hour, now)]
    return [finding for finding in (_network(past, hour, now), *found) if finding is not None]


def _network(past: History, hour: int, now: Hour) -> Finding | None:
    first = min(past)
    # After an overflow, a network that seems new may have been used before without being recorded.
    if hour - first < NETWORKS_SETTLE_S or any(past_hour.networks_missed for past_hour in past.values()):
        return None
    known: set[str] = set()
    roaming_hours = 0
    for at in sorted(past):
        if past[at].networks - known and at - first >= NETWORKS_SETTLE_S:
            roaming_hours += 1
        known |= past[at].networks
    new = now.networks - known
    # If no network was recorded in the whole history, every network would seem new, so none is reported.
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
        # Include the hours before and after, because daylight saving time shifts a daily job by one hour.
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
    """Return how far `count` is above the median of `compared`, in robust standard deviations of the logarithms."""
    logs = [log(SMOOTHING + other) for other in compared]
    middle = median(logs)
    sigma = MAD_TO_SIGMA * median(abs(value - middle) for value in logs)
    return (log(SMOOTHING + count) - middle) / max(sigma, SIGMA_MIN)


def _time_of_day_distance_s(at: int, hour: int) -> int:
    """Return the distance in seconds between two times of day. Between 23:00 and 1:00 it is two hours."""
    ahead = (at - hour) % DAY_S
    return min(ahead, DAY_S - ahead)


def _denials(past: History, hour: int, now: Hour) -> Finding | None:
    worst = max(past_hour.denials for past_hour in past.values())
    if now.denials < DENIALS_MIN or now.denials <= STORM_FACTOR * worst:
        return None
    # More requests cause more denials, so denials are unusual only if their share has risen too.
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
