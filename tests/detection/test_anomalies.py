"""Anomaly detection on 30 days of traffic: ordinary months have no findings, and each planted anomaly is found."""

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


def findings_of(made: list[dict[str, Any]]) -> list[Finding]:
    """Return the findings of a month, checking each hour as if it were the last."""
    seen = usage_history.of_account(made).get(KEY, {})
    return [finding for at in sorted(seen) for finding in anomalies.detect(seen, at)]


def findings_around(made: list[dict[str, Any]], at: int) -> list[Finding]:
    """Return the findings from six hours before to two days after this hour."""
    seen = usage_history.of_account(made).get(KEY, {})
    looked_at = range(at - 6 * HOUR_S, at + 2 * DAY_S, HOUR_S)
    return [finding for hour in looked_at for finding in anomalies.detect(seen, hour)]


def replace_hour(rate: Rate, seed: int, at: int, **more: Any) -> list[dict[str, Any]]:
    """Return the counters of a month in which one hour is replaced."""
    made = items(rate, seed)
    made[(at - START) // HOUR_S] |= more
    return made


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("rate", EVERYDAY)
def test_ordinary_month_has_no_findings(rate: Rate, seed: int) -> None:
    """Steady, daily, weekly, growing and stepping traffic has no findings in 30 days."""
    assert findings_of(items(rate, seed)) == []


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("rate", EVERYDAY)
@pytest.mark.parametrize("at", [NOON_OF_DAY_20, NIGHT_OF_DAY_20])
def test_burst_is_found_in_its_hour(rate: Rate, seed: int, at: int) -> None:
    """An hour with ten times the past week's maximum at that time of day is reported once, also at night."""
    requests = max(anomalies.REQUESTS_MIN, round(10 * max(rate(at - day * DAY_S) for day in range(8))))
    (finding,) = findings_around(replace_hour(rate, seed, at, **{KEY: number(requests)}), at)
    assert (finding.kind, finding.hour, finding.numbers["requests"]) == (anomalies.TRAFFIC, at, requests)
    assert 0 < finding.numbers["usual"] < requests / 4


@pytest.mark.parametrize("seed", SEEDS)
def test_burst_is_found_in_running_hour(seed: int) -> None:
    """A burst is found before its hour is over."""
    made = replace_hour(daily, seed, NOON_OF_DAY_20, **{KEY: number(4_000)})
    until = [item for item in made if int(item["hour"]["N"]) <= NOON_OF_DAY_20]
    assert [finding.kind for finding in findings_around(until, NOON_OF_DAY_20)] == [anomalies.TRAFFIC]


@pytest.mark.parametrize("seed", SEEDS)
def test_long_burst_is_reported_once(seed: int) -> None:
    """A burst of five hours is one finding, in its first hour."""
    made = items(daily, seed)
    first = (NOON_OF_DAY_20 - START) // HOUR_S
    for item in made[first : first + 5]:
        item[KEY] = number(5_000)
    assert [finding.hour for finding in findings_around(made, NOON_OF_DAY_20)] == [NOON_OF_DAY_20]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("rate", EVERYDAY)
def test_new_network_is_found_once(rate: Rate, seed: int) -> None:
    """A network not seen in 30 days is reported in its first hour only."""
    made = replace_hour(rate, seed, NOON_OF_DAY_20, **{KEY: number(5), network(7): {"S": KEY}})
    made[(NOON_OF_DAY_20 - START) // HOUR_S + 5][network(7)] = {"S": KEY}
    (finding,) = findings_around(made, NOON_OF_DAY_20)
    assert (finding.kind, finding.hour) == (anomalies.NEW_NETWORK, NOON_OF_DAY_20)


def test_network_not_seen_for_30_days_is_new_again() -> None:
    """A network last seen 31 days ago counts as new."""
    made = items(daily, 0, days=40)
    for at in (START + 4 * HOUR_S, START + 36 * DAY_S):
        made[(at - START) // HOUR_S] |= {KEY: number(5), network(7): {"S": KEY}}
    assert [finding.kind for finding in findings_of(made)] == [anomalies.NEW_NETWORK]


def test_networks_are_separate_for_each_key() -> None:
    """A new network of one key is not a finding for another key of the account."""
    made = replace_hour(daily, 0, NOON_OF_DAY_20, **{network(7): {"S": "kHIJKLMN"}, "kHIJKLMN": number(5)})
    assert findings_of(made) == []


def test_overflow_prevents_network_findings() -> None:
    """If an hour of the baseline had more networks than are recorded, no network is reported as new."""
    made = replace_hour(daily, 0, NOON_OF_DAY_20, **{KEY: number(5), network(7): {"S": KEY}})
    made[100]["n_other"] = number(1)
    assert findings_of(made) == []


def test_roaming_key_is_reported_a_few_times_only() -> None:
    """A key that always appears from new networks stops being reported after a few findings."""
    made = items(daily, 0)
    for day in range(4, 30):
        made[24 * day + 12] |= {KEY: number(5), f"nROAMS{day:03}": {"S": KEY}}
    assert [finding.kind for finding in findings_of(made)] == [anomalies.NEW_NETWORK] * anomalies.ROAMING_HOURS_MAX


def test_new_networks_of_first_days_do_not_count_as_roaming() -> None:
    """Networks that appear in a key's first days are part of its baseline."""
    hosts, weekdays = items(daily, 0), items(daily, 0)
    for hour, item in enumerate(hosts):
        item |= {f"nHOST{number:04}": {"S": KEY} for number, since in enumerate((30, 34, 50, 54, 58)) if hour >= since}
    for hour, item in enumerate(weekdays):
        item |= {f"nWEEKDAY{hour // 24 % 7}": {"S": KEY}}
    for made in (hosts, weekdays):
        made[24 * 20 + 12] |= {KEY: number(5), "nSTRANGER": {"S": KEY}}
        assert [finding.kind for finding in findings_around(made, NOON_OF_DAY_20)] == [anomalies.NEW_NETWORK]


@pytest.mark.parametrize("seed", SEEDS)
def test_phone_on_mobile_network_is_rarely_reported(seed: int) -> None:
    """A phone on a mobile network, with two of a hundred networks an hour, has few findings in 30 days."""
    dice = random.Random(seed)  # noqa: S311 - fixed on purpose
    made = items(daily, seed, networks=1)
    for item in made:
        if 8 <= int(item["hour"]["N"]) % DAY_S // HOUR_S < 22:
            item |= {f"nPHONE{dice.randrange(100):03}": {"S": KEY} for _ in range(2)}
    assert len(findings_of(made)) <= anomalies.ROAMING_HOURS_MAX


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("rate", EVERYDAY)
@pytest.mark.parametrize(("name", "kind"), [("f", anomalies.DENIALS), ("q", anomalies.REJECTIONS)])
def test_burst_of_errors_is_found_in_its_hour(rate: Rate, seed: int, name: str, kind: str) -> None:
    """A burst of 401 and 403 responses, or of 429 responses, is reported in its first hour."""
    made = replace_hour(rate, seed, NOON_OF_DAY_20, **{KEY: number(5), name + KEY[1:]: number(2_000)})
    assert [(finding.kind, finding.hour) for finding in findings_around(made, NOON_OF_DAY_20)] == [
        (kind, NOON_OF_DAY_20)
    ]


@pytest.mark.parametrize("hours", [0, 1, 23, 47])
def test_young_key_has_no_findings(hours: int) -> None:
    """A key has no findings in its first two days, because it has no baseline."""
    made = items(daily, 0, days=2)[: hours + 1]
    made[-1] |= {KEY: number(50_000), "f" + KEY[1:]: number(900), "q" + KEY[1:]: number(900)}
    made[-1][network(7)] = {"S": KEY}
    assert findings_of(made) == []


def test_tripled_traffic_after_deployment_is_not_a_burst() -> None:
    """Traffic that triples after a deployment is normal growth and not a burst."""
    assert findings_of(items(stepping, 99)) == []


def test_items_of_two_tiers_are_added() -> None:
    """If an account changed its tier within an hour, its two counter items are added up."""
    one = {"hour": number(START), KEY: number(3), network(1): {"S": KEY}}
    other = {"hour": number(START), KEY: number(4), network(2): {"S": KEY}, "n_other": number(1)}
    (hour,) = usage_history.of_account([one, other])[KEY].values()
    assert (hour.requests, hour.networks, hour.networks_missed) == (7, frozenset({"NETWORK1", "NETWORK2"}), True)
