"""Usage of each credential (networks, routes and denied requests), recorded in the admission's write and below 1 KB."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from chalicelib.core import clock, ids, process_cache, settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.limits import burst, counter_items, recorded_usage, rejection_counts
from chalicelib.limits.admission import Rejected, admit
from chalicelib.limits.tiers import ENTERPRISE, PRO, Tier
from tests.limits.item_size import size_bytes
from tests.support.harness import TestApp

ADA, BOB = "kAda0000", "kBob0000"
SUBJECT = "acc_1"
WRITE = ("UpdateItem", "latchkey-test-windows")


def read_item(subject: str = SUBJECT, tier: Tier = PRO) -> dict[str, Any]:
    """Return the raw counter item of this hour."""
    key = counter_items.item_key(subject, tier, clock.hour_of(clock.now_s()))
    request = {"TableName": settings.current().table(counter_items.TABLE), "Key": key, "ConsistentRead": True}
    item: dict[str, Any] = dynamodb.call("GetItem", request)["Item"]
    return item


def admit_one(
    counter: str = ADA, network: str = "203.0.113.0/24", route: str = "GET /v1/users", tier: Tier = PRO
) -> None:
    """Have one request admitted."""
    admit(SUBJECT, tier, counter=counter, shown=recorded_usage.usage_of(counter, network=network, route=route))


@contextmanager
def sent() -> Iterator[list[dict[str, Any]]]:
    """The requests sent to DynamoDB."""
    requests: list[dict[str, Any]] = []
    through = dynamodb.sender()

    def send(operation: str, body: dynamodb.Json) -> dynamodb.Json:
        requests.append(body)
        return through(operation, body)

    with dynamodb.use_sender(send):
        yield requests


def test_network_and_route_are_recorded_by_the_admissions_write(latchkey: TestApp) -> None:
    """The admission's write records network and route. The name of the network's attribute is a hash, and its value is
    the counter.
    """
    with telemetry.record_calls() as calls:
        admit_one()
    assert calls.made == [WRITE]
    item = read_item()
    assert recorded_usage.networks_of(item) == {recorded_usage.network_name(ADA, "203.0.113.0/24"): ADA}
    assert recorded_usage.routes_of(item) == {recorded_usage.route_name("GET /v1/users"): {ADA}}
    assert recorded_usage.is_complete(item)
    assert "203.0" not in str(item)


def test_attribute_names_have_their_documented_form(latchkey: TestApp) -> None:
    """Attribute names are `n` and 8 characters for networks, `r` and 3 for routes, as readers of the items expect."""
    name = recorded_usage.network_name(ADA, "203.0.113.0/24")
    assert (name, len(name)) == ("nmUkuS2Af", 9)
    assert len(recorded_usage.route_name("GET /v1/users")) == 4


def test_steady_state_adds_nothing_to_the_write(latchkey: TestApp) -> None:
    """Once the cached item contains the network and the route, the write equals a write without them."""
    admit_one()
    with sent() as requests:
        admit_one()
        admit(SUBJECT, PRO, counter=ADA)
    assert requests[0] == requests[1]


def test_keys_of_one_network_and_route_are_recorded_separately(latchkey: TestApp) -> None:
    """If two keys have the same network and route, the network is recorded once for each key, and the route is recorded
    once with the counters of both keys.
    """
    admit_one(ADA)
    admit_one(BOB)
    item = read_item()
    assert sorted(recorded_usage.networks_of(item).values()) == [ADA, BOB]
    assert recorded_usage.routes_of(item) == {recorded_usage.route_name("GET /v1/users"): {ADA, BOB}}


def test_ninth_network_is_counted_without_a_name(latchkey: TestApp) -> None:
    """Eight networks are named; each admission from another network increases `n_other` by one."""
    for number in range(10):
        admit_one(network=f"10.0.{number}.0/24")
    admit_one(network="10.0.9.0/24")
    item = read_item()
    assert len(recorded_usage.networks_of(item)) == recorded_usage.NETWORKS_MAX
    assert counter_items.number(item, recorded_usage.NETWORKS_OTHER) == 3


def test_route_without_room_marks_the_hour(latchkey: TestApp) -> None:
    """An hour whose item has no room for a route is marked as incomplete once; later requests add nothing."""
    for number in range(40):
        admit_one(route=f"GET /v1/own/{number}")
    item = read_item()
    assert not recorded_usage.is_complete(item)
    assert len(recorded_usage.routes_of(item)) == recorded_usage.SHARED_BYTES // 16
    with sent() as requests:
        admit_one(route="GET /v1/own/39")
        admit(SUBJECT, PRO, counter=ADA)
    assert requests[0] == requests[1]


def test_overflow_by_cold_processes_is_removed_by_the_next_write(latchkey: TestApp) -> None:
    """The first process that reads an item with too many names removes those beyond the limit, and sets the markers for
    removed names.
    """
    for number in range(30):
        admit_one(network=f"10.0.{number}.0/24", route=f"GET /v1/own/{number}")
        process_cache.forget()
    assert len(recorded_usage.networks_of(read_item())) == 30
    admit_one()
    admit_one()
    item = read_item()
    assert len(recorded_usage.networks_of(item)) == recorded_usage.NETWORKS_MAX
    assert not recorded_usage.is_complete(item)
    assert counter_items.number(item, recorded_usage.NETWORKS_OTHER) > 0
    assert size_bytes(item) < 1_024


def test_failures_are_written_with_the_next_admission(latchkey: TestApp) -> None:
    """A failed request causes no call: its count is written with the next admission, under the credential's name."""
    admit_one()
    window = counter_items.window_at(SUBJECT, PRO, latchkey.clock.now_ms)
    with telemetry.record_calls() as calls:
        for _ in range(3):
            rejection_counts.record_failure(window, ADA)
    assert calls.made == []
    admit_one()
    admit_one()
    item = read_item()
    assert recorded_usage.count_denials(item, recorded_usage.FAILED, ADA) == 3
    assert counter_items.number(item, counter_items.REJECTED) == 0


def test_failures_without_an_admission_are_written_after_ten_seconds(latchkey: TestApp) -> None:
    """Failed requests of a credential that is never admitted are written after ten seconds."""
    for after_s in (0, 9, 1):
        latchkey.clock.forward(after_s)
        rejection_counts.record_failure(counter_items.window_at(SUBJECT, PRO, latchkey.clock.now_ms), ADA)
    assert recorded_usage.count_denials(read_item(), recorded_usage.FAILED, ADA) == 3


def test_failures_of_a_ninth_credential_are_counted_without_a_name(latchkey: TestApp) -> None:
    """Failures of eight credentials are counted by name, and those of all others together."""
    window = counter_items.window_at(SUBJECT, PRO, latchkey.clock.now_ms)
    for number in range(10):
        rejection_counts.record_failure(window, f"k{number:07}")
    admit(SUBJECT, PRO)
    item = read_item()
    assert counter_items.number(item, recorded_usage.FAILED_OTHER) == 2
    assert (
        sum(name[0] == "f" and name != recorded_usage.FAILED_OTHER for name in item) == recorded_usage.CREDENTIALS_MAX
    )


def test_rejections_are_counted_by_credential(latchkey: TestApp) -> None:
    """A rejection is counted for the account and for the credential."""
    small = Tier("pro", 1_000, 1)
    admit_one(tier=small)
    for _ in range(4):
        with pytest.raises(Rejected):
            admit_one(BOB, tier=small)
    latchkey.clock.forward(1)
    admit_one(tier=small)
    item = read_item()
    assert counter_items.number(item, counter_items.REJECTED) == 4
    assert recorded_usage.count_denials(item, recorded_usage.REJECTED, BOB) == 4
    assert recorded_usage.count_denials(item, recorded_usage.REJECTED, ADA) == 0


def test_anonymous_request_records_no_usage(latchkey: TestApp) -> None:
    """The counter item of an anonymous caller contains no networks and no routes."""
    admit("ip_203.0.113.7", PRO, shown=recorded_usage.RequestUsage("nAAAAAAAA", "rAAA"))
    item = read_item("ip_203.0.113.7")
    assert (recorded_usage.networks_of(item), recorded_usage.routes_of(item)) == ({}, {})


def test_fullest_item_is_one_write_unit(latchkey: TestApp) -> None:
    """An item with as many names as fit, the largest numbers and an invalidation mark is smaller than 1 KB, the size of
    one write unit.
    """
    subject = ids.new("acc")
    keys = [f"{'k' if number < 20 else 'c'}{number:07}" for number in range(counter_items.COUNTERS_MAX + 5)]
    for number in range(500):
        counter = keys[number % len(keys)]
        shown = recorded_usage.usage_of(counter, network=f"10.0.{number}.0/24", route=f"GET /v1/own/{number % 45}")
        if number % 5 == 0:
            window = counter_items.window_at(subject, ENTERPRISE, latchkey.clock.now_ms)
            rejection_counts.record_failure(window, counter)
            rejection_counts.record_rejection(window, counter)
        admit(subject, ENTERPRISE, counter=counter, shown=shown)
        latchkey.clock.forward(0.3)
    item = read_item(subject, ENTERPRISE)
    assert {
        counter_items.OTHER,
        counter_items.REJECTED,
        recorded_usage.NETWORKS_OTHER,
        recorded_usage.ROUTES_OTHER,
        recorded_usage.FAILED_OTHER,
    } < set(item)
    assert len(counter_items.counters(item)) == counter_items.COUNTERS_MAX
    # The largest numbers: 27,777 requests a second for an hour, and 11 burst windows because of skewed clocks.
    largest = {"N": "99999999"}
    item |= {name: largest for name, value in item.items() if "N" in value and name not in ("hour", "dies_at")}
    slots = {f"s{3590 + second}": largest for second in range(burst.SLOTS_KEPT_S + 3)}
    filled = {name: value for name, value in item.items() if not (name[0] == "s" and name[1:].isdigit())} | slots
    assert 900 < size_bytes(filled | {"stale_at": {"N": str(latchkey.clock.now_ms)}}) < 1_024
