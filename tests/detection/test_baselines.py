"""Stored profiles of past usage make most hourly runs short, and hide no anomaly."""

from chalicelib.api import background
from chalicelib.core import clock, settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.credentials.issue import Issued
from chalicelib.detection import baselines, hourly_run, usage_history
from chalicelib.events import kinds
from chalicelib.limits import counter_items
from tests.detection.current_hour import anomalies, key, set_current_hour
from tests.detection.planted import HOUR_S, NETWORK, item
from tests.support.harness import TestApp

__all__ = ["key"]


def test_ordinary_hour_reads_one_small_item(latchkey: TestApp, key: Issued) -> None:
    """Checking an ordinary hour reads one small item instead of 30 days of counters."""
    account_id = key.key.account_id
    if baselines.day_of(account_id, clock.now_s()) != baselines.day_of(account_id, clock.now_s() + HOUR_S):
        latchkey.clock.forward(HOUR_S)
    background.every_hour()
    latchkey.clock.forward(HOUR_S)
    set_current_hour(key)
    with telemetry.record_calls() as watched:
        hourly_run.sweep(clock.now_ms() + 60_000)
    read = [call for call in watched.made if call[1] != "latchkey-test-accounts" and call[0] != "PutItem"]
    assert ("Query", "latchkey-test-windows") not in read
    assert read.count(("GetItem", "latchkey-test-profiles")) == 2


def test_burst_at_quiet_time_is_found_despite_busy_hours(latchkey: TestApp) -> None:
    """A burst at a quiet time of day is found, because each time of day has its own maximum."""
    account = latchkey.account()
    issued = latchkey.key(account, "read")
    counter = counter_items.counter_of(issued.key.id)
    latchkey.clock.forward(20 * 24 * HOUR_S)
    start = clock.hour_of(clock.now_s())
    for ago in range(20 * 24):
        at = start - ago * HOUR_S
        item(account, at, {counter: 5_000 if at % clock.DAY_S == 3 * HOUR_S else 20}, {NETWORK: counter})
    background.every_hour()
    latchkey.clock.forward(HOUR_S)
    set_current_hour(issued, requests=4_000)
    background.every_hour()
    assert [found["type"] for found in anomalies(issued)] == [kinds.UNUSUAL_TRAFFIC]


def test_running_hour_is_checked_again_when_over(latchkey: TestApp, key: Issued) -> None:
    """An hour that was checked while it ran is checked again when it is over."""
    background.every_hour()
    latchkey.clock.forward(HOUR_S)
    set_current_hour(key, requests=200)
    background.every_hour()
    assert anomalies(key) == []
    set_current_hour(key, requests=390)
    latchkey.clock.forward(HOUR_S)
    background.every_hour()
    assert [found["type"] for found in anomalies(key)] == [kinds.UNUSUAL_TRAFFIC]


def test_profile_of_earlier_version_is_ignored(latchkey: TestApp, key: Issued) -> None:
    """A profile stored by an earlier version is ignored, and a full check is made instead."""
    owner_id = key.key.account_id
    background.every_hour()
    kept = baselines.read_profile(owner_id)
    table = settings.current().table(baselines.TABLE)
    most = {"M": {counter_items.counter_of(key.key.id): {"N": "5000"}}}
    old = {"account_id": {"S": owner_id}, "looked_on": {"N": str(kept.looked_on)}, "most": most}
    dynamodb.call("PutItem", {"TableName": table, "Item": old})
    assert baselines.read_profile(owner_id) == baselines.EMPTY
    background.every_hour()
    assert baselines.read_profile(owner_id) == kept


def test_profile_size_is_limited(latchkey: TestApp) -> None:
    """A profile has a maximum size and keeps the busiest credentials."""
    hour = clock.hour_of(clock.now_s())
    past = {f"k{number:07}": {hour - 24 * HOUR_S: usage_history.Hour(requests=number)} for number in range(1_000)}
    baselines.save("acc_1", past, clock.now_s())
    kept = baselines.read_profile("acc_1").most
    assert (len(kept), min(max(most) for most in kept.values())) == (baselines.COUNTERS_MAX, 900)


def test_full_checks_are_spread_over_the_day() -> None:
    """Each account gets its full check once in 24 hours, at a time of its own."""
    start = clock.DAY_S * 18_000
    due = []
    for number in range(240):
        days = [baselines.day_of(f"acc_{number}", start + hour * HOUR_S) for hour in range(25)]
        assert days[24] == days[0] + 1
        due.append(days.index(days[24]))
    assert len(set(due)) == 24
