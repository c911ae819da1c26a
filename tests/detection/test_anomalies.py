"""What is told of 30 days of traffic: nothing of an ordinary month, and each planted anomaly in its own hour."""

import random
from typing import Any

import pytest

from chalicelib.core.clock import DAY_S, HOUR_S
from chalicelib.detection import anomalies, usage_history
from chalicelib.detection.anomalies import Finding
from tests.detection.traffic import EVERYDAY, KEY, START, Rate, daily, items, network, number, stepping
from tests.support import exhaustive

SEEDS = exhaustive.after(1, range(3))
NOON_OF_DAY_20 = START + 20 * DAY_S + 12 * HOUR_S
NIGHT_OF_DAY_20 = START + 20 * DAY_S


def told(made: list[dict[str, Any]]) -> list[Finding]:
    """Replay the month: look at each hour as if it were the last."""
    seen = usage_history.of_account(made).get(KEY, {})
    return [finding for at in sorted(seen) for finding in anomalies.detect(seen, at)]


def told_around(made: list[dict[str, Any]], at: int) -> list[Finding]:
    """Replay the six hours before and the two days after an hour; that the rest is silent is shown by itself."""
    seen = usage_history.of_account(made).get(KEY, {})
    looked_at = range(at - 6 * HOUR_S, at + 2 * DAY_S, HOUR_S)
    return [finding for hour in looked_at for finding in anomalies.detect(seen, hour)]


def planted(rate: Rate, seed: int, at: int, **more: Any) -> list[dict[str, Any]]:
    """Return a month in one hour of which something else stands."""
    made = items(rate, seed)
    made[(at - START) // HOUR_S] |= more
    return made


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("rate", EVERYDAY)
def test_ordinary_month_is_silent(rate: Rate, seed: int) -> None:
    """Steady, daily, weekly, growing and stepping traffic raises no alarm in any hour of 30 days."""
    assert told(items(rate, seed)) == []


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("rate", EVERYDAY)
@pytest.mark.parametrize("at", [NOON_OF_DAY_20, NIGHT_OF_DAY_20])
def test_burst_is_found_in_its_hour(rate: Rate, seed: int, at: int) -> None:
    """Ten times the most of the past week at that time of day, by night as well, is told once."""
    requests = max(anomalies.REQUESTS_MIN, round(10 * max(rate(at - day * DAY_S) for day in range(8))))
    (finding,) = told_around(planted(rate, seed, at, **{KEY: number(requests)}), at)
    assert (finding.kind, finding.hour, finding.numbers["requests"]) == (anomalies.TRAFFIC, at, requests)
    assert 0 < finding.numbers["usual"] < requests / 4


@pytest.mark.parametrize("seed", SEEDS)
def test_running_hour_is_enough(seed: int) -> None:
    """A burst is found before its hour is over, from what was counted until then."""
    made = planted(daily, seed, NOON_OF_DAY_20, **{KEY: number(4_000)})
    until = [item for item in made if int(item["hour"]["N"]) <= NOON_OF_DAY_20]
    assert [finding.kind for finding in told_around(until, NOON_OF_DAY_20)] == [anomalies.TRAFFIC]


@pytest.mark.parametrize("seed", SEEDS)
def test_burst_that_lasts_is_told_when_it_begins(seed: int) -> None:
    """A flood of five hours is one finding, not five."""
    made = items(daily, seed)
    first = (NOON_OF_DAY_20 - START) // HOUR_S
    for item in made[first : first + 5]:
        item[KEY] = number(5_000)
    assert [finding.hour for finding in told_around(made, NOON_OF_DAY_20)] == [NOON_OF_DAY_20]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("rate", EVERYDAY)
def test_new_network_is_found_once(rate: Rate, seed: int) -> None:
    """A network not seen in 30 days is told in its first hour, and is known from then on."""
    made = planted(rate, seed, NOON_OF_DAY_20, **{KEY: number(5), network(7): {"S": KEY}})
    made[(NOON_OF_DAY_20 - START) // HOUR_S + 5][network(7)] = {"S": KEY}
    (finding,) = told_around(made, NOON_OF_DAY_20)
    assert (finding.kind, finding.hour) == (anomalies.NEW_NETWORK, NOON_OF_DAY_20)


def test_network_not_seen_for_30_days_is_new_again() -> None:
    """What was seen 31 days ago is forgotten."""
    made = items(daily, 0, days=40)
    for at in (START + 4 * HOUR_S, START + 36 * DAY_S):
        made[(at - START) // HOUR_S] |= {KEY: number(5), network(7): {"S": KEY}}
    assert [finding.kind for finding in told(made)] == [anomalies.NEW_NETWORK]


def test_network_of_another_key_is_not_ones_own() -> None:
    """The same item names the networks of each key."""
    made = planted(daily, 0, NOON_OF_DAY_20, **{network(7): {"S": "kHIJKLMN"}, "kHIJKLMN": number(5)})
    assert told(made) == []


def test_no_novelty_is_claimed_where_the_record_overflowed() -> None:
    """A network that found no room in its hour would look new for ever after."""
    made = planted(daily, 0, NOON_OF_DAY_20, **{KEY: number(5), network(7): {"S": KEY}})
    made[100]["n_other"] = number(1)
    assert told(made) == []


def test_key_that_roams_is_let_roam() -> None:
    """A key that turns up from new networks all the time is told a few times, then no more."""
    made = items(daily, 0)
    for day in range(4, 30):
        made[24 * day + 12] |= {KEY: number(5), f"nROAMS{day:03}": {"S": KEY}}
    assert [finding.kind for finding in told(made)] == [anomalies.NEW_NETWORK] * anomalies.ROAMING_HOURS_MAX


def test_new_networks_of_the_first_days_are_no_roaming() -> None:
    """A program that was rolled out to more hosts, or runs on another one each weekday, is settled."""
    hosts, weekdays = items(daily, 0), items(daily, 0)
    for hour, item in enumerate(hosts):
        item |= {f"nHOST{number:04}": {"S": KEY} for number, since in enumerate((30, 34, 50, 54, 58)) if hour >= since}
    for hour, item in enumerate(weekdays):
        item |= {f"nWEEKDAY{hour // 24 % 7}": {"S": KEY}}
    for made in (hosts, weekdays):
        made[24 * 20 + 12] |= {KEY: number(5), "nSTRANGER": {"S": KEY}}
        assert [finding.kind for finding in told_around(made, NOON_OF_DAY_20)] == [anomalies.NEW_NETWORK]


@pytest.mark.parametrize("seed", SEEDS)
def test_phone_is_let_roam_from_its_first_days_on(seed: int) -> None:
    """A carrier gives it one of a hundred networks, two an hour by day: a handful of alarms in 30 days, if any."""
    dice = random.Random(seed)  # noqa: S311 - fixed on purpose
    made = items(daily, seed, networks=1)
    for item in made:
        if 8 <= int(item["hour"]["N"]) % DAY_S // HOUR_S < 22:
            item |= {f"nPHONE{dice.randrange(100):03}": {"S": KEY} for _ in range(2)}
    assert len(told(made)) <= anomalies.ROAMING_HOURS_MAX


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("rate", EVERYDAY)
@pytest.mark.parametrize(("name", "kind"), [("f", anomalies.DENIALS), ("q", anomalies.REJECTIONS)])
def test_storm_is_found_in_its_hour(rate: Rate, seed: int, name: str, kind: str) -> None:
    """A burst of 401s and 403s, and one of 429s, is told in the hour of its beginning."""
    made = planted(rate, seed, NOON_OF_DAY_20, **{KEY: number(5), name + KEY[1:]: number(2_000)})
    assert [(finding.kind, finding.hour) for finding in told_around(made, NOON_OF_DAY_20)] == [(kind, NOON_OF_DAY_20)]


@pytest.mark.parametrize("hours", [0, 1, 23, 47])
def test_young_key_is_not_judged(hours: int) -> None:
    """In its first two days whatever a key does is its first time."""
    made = items(daily, 0, days=2)[: hours + 1]
    made[-1] |= {KEY: number(50_000), "f" + KEY[1:]: number(900), "q" + KEY[1:]: number(900)}
    made[-1][network(7)] = {"S": KEY}
    assert told(made) == []


def test_deployment_that_triples_the_traffic_is_no_burst() -> None:
    """Growth by a step is what people hope for."""
    assert told(items(stepping, 99)) == []


def test_items_of_two_tiers_in_one_hour_are_one_hour() -> None:
    """An account that changed its tier has its counters in two items."""
    one = {"hour": number(START), KEY: number(3), network(1): {"S": KEY}}
    other = {"hour": number(START), KEY: number(4), network(2): {"S": KEY}, "n_other": number(1)}
    (hour,) = usage_history.of_account([one, other])[KEY].values()
    assert (hour.requests, hour.networks, hour.networks_missed) == (7, frozenset({"NETWORK1", "NETWORK2"}), True)
