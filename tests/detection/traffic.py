"""Synthetic traffic of one key for 30 days, as hourly counters, generated from a seed."""

import random
from collections.abc import Callable
from math import cos, exp, log, pi, sqrt
from typing import Any

from chalicelib.core.clock import DAY_S, HOUR_S

START = 1_640_044_800
"""2021-12-21T00:00:00Z, a Tuesday."""
KEY = "kABCDEFG"
Rate = Callable[[int], float]


def steady(at: int) -> float:
    return 200.0


def quiet(at: int) -> float:
    return 2.0


def daily(at: int) -> float:
    """Return a rate that is ten times as high by day as by night, and lower at weekends."""
    by_day = exp(log(10) * (1 - cos(2 * pi * (at % DAY_S) / DAY_S)) / 2)
    return 40 * by_day * (0.3 if (at // DAY_S + 3) % 7 >= 5 else 1.0)


def weekends(at: int) -> float:
    """Return a rate that is eight times as high at weekends."""
    return 1600.0 if (at // DAY_S + 3) % 7 >= 5 else 200.0


def growing(at: int) -> float:
    """Return a rate that grows by 5 % each day."""
    return 100 * exp(log(1.05) * (at - START) / DAY_S)


def stepping(at: int) -> float:
    """Return a rate that triples with one deployment."""
    return 150.0 if at < START + 17 * DAY_S + 9 * HOUR_S else 450.0


def nightly(at: int) -> float:
    """Return the rate of a job at 03:00, which is low at other times."""
    return 5000.0 if at % DAY_S == 3 * HOUR_S else 20.0


EVERYDAY = (steady, quiet, daily, weekends, growing, stepping, nightly)


def items(rate: Rate, seed: int, days: int = 30, networks: int = 3) -> list[dict[str, Any]]:
    """Return the counter items of a key with random requests, 2 % denials and some networks."""
    dice = random.Random(seed)  # noqa: S311 - fixed on purpose
    made = []
    for at in range(START, START + days * DAY_S, HOUR_S):
        requests = poisson(dice, rate(at))
        item: dict[str, Any] = {"subject": {"S": "acc_x#free"}, "hour": {"N": str(at)}}
        if requests:
            item |= {KEY: number(requests), "used": number(requests)}
            item |= {"f" + KEY[1:]: number(poisson(dice, requests / 50)), "q" + KEY[1:]: number(poisson(dice, 1))}
            item[network(dice.randrange(networks))] = {"S": KEY}
        made.append(item)
    return made


def network(n: int) -> str:
    return f"nNETWORK{n}"


def number(n: int) -> dict[str, str]:
    return {"N": str(n)}


def poisson(dice: random.Random, mean: float) -> int:
    """Return a Poisson-distributed number."""
    if mean > 50:
        return max(0, round(dice.gauss(mean, sqrt(mean))))
    left, count = exp(-mean), 0
    chance = dice.random()
    while chance > left:
        chance *= dice.random()
        count += 1
    return count
