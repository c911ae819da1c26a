"""The queue of due deliveries: reading it, lateness, and the order of endpoints."""

from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.core import clock
from chalicelib.webhooks import delivery_queue, endpoints, fan_out, states
from chalicelib.webhooks.states import DISABLED, ENABLED
from chalicelib.webhooks.tables import Delivery, Endpoint
from tests.support.harness import TestApp


def build_endpoint(account_id: str = "acc_a", endpoint_id: str = "whk_1", **fields: Any) -> Endpoint:
    """Return an endpoint without storing it."""
    return Endpoint(account_id, endpoint_id, url="https://example.com/", name="x", created_at=0, enabled_at=0, **fields)


def queue_delivery(endpoint_id: str, number: int, due_at: int, account_id: str = "acc_a") -> str:
    """Store a pending delivery and return its id."""
    message_id = f"evt_{number:020}"
    fan_out.new_delivery(build_endpoint(account_id, endpoint_id), message_id, "key.created", "{}", due_at=due_at).save()
    return message_id


def find_id_in_lane(lane: str, skip: int = 0) -> str:
    """Return the id of an endpoint whose deliveries are in the given lane."""
    return [each for each in map("whk_{}".format, range(999)) if fan_out.lane_of(each) == lane][skip]


@pytest.mark.parametrize(
    ("fields", "well", "up_to_date"),
    [
        ({}, True, True),
        ({"behind_since": 1}, True, False),
        ({"failures": 1}, False, False),
        ({"slow": True}, False, False),
        ({"status": DISABLED}, False, False),
    ],
)
def test_endpoint_is_up_to_date_if_healthy_without_backlog(
    fields: dict[str, Any], well: bool, up_to_date: bool
) -> None:
    """An endpoint is up to date if it is healthy and has no backlog. A deleted endpoint isn't healthy."""
    assert (
        delivery_queue.is_healthy(build_endpoint(**fields)),
        delivery_queue.is_up_to_date(build_endpoint(**fields)),
    ) == (
        well,
        up_to_date,
    )
    assert not delivery_queue.is_healthy(None)


def test_queue_groups_deliveries_by_endpoint(latchkey: TestApp) -> None:
    """Endpoints of different accounts are separate groups, even if they have the same id."""
    for number, account_id in enumerate(("acc_a", "acc_b", "acc_a")):
        queue_delivery("whk_1", number, 0, account_id)
    found = [Delivery.get("whk_1", f"evt_{number:020}") for number in range(3)]
    assert delivery_queue.group_by_endpoint(found) == {
        ("acc_a", "whk_1"): [found[0].id, found[2].id],
        ("acc_b", "whk_1"): [found[1].id],
    }


def test_due_deliveries_of_all_lanes_are_read_oldest_first(latchkey: TestApp) -> None:
    """The due deliveries of each lane (a partition of the index) are read oldest first. A delivery that is due a
    millisecond later isn't read.
    """
    now_ms = clock.now_ms()
    expected = []
    for lane in "0123":
        for number, due_at in ((1, now_ms), (2, now_ms - 5), (3, now_ms + 1)):
            queue_delivery(find_id_in_lane(lane), number, due_at)
        expected += [f"evt_{number:020}" for number in (2, 1)]
    assert now_ms // 60_000 % 2 == 0
    assert [each.id for each in delivery_queue.read_due(now_ms)] == expected


@pytest.mark.parametrize(
    ("after_s", "is_turned"), [(0, False), (59.999, False), (60, True), (119.999, True), (120, False)]
)
def test_newest_due_deliveries_come_first_every_other_minute(
    latchkey: TestApp, after_s: float, is_turned: bool
) -> None:
    """In every other minute the newest deliveries are read first, so the backlog of one endpoint doesn't hide later
    ones.
    """
    made = [queue_delivery(find_id_in_lane("0"), number, clock.now_ms() - 3 + number) for number in range(3)]
    latchkey.clock.forward(after_s)
    assert [each.id for each in delivery_queue.read_due(clock.now_ms())] == (made[::-1] if is_turned else made)


def let_reading_take(seconds: float, latchkey: TestApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """Move the clock forward by this many seconds whenever a delivery is read."""
    query = Delivery.by_due.query

    def slowly(*arguments: Any, **named: Any) -> Iterator[Delivery]:
        for each in query(*arguments, **named):
            latchkey.clock.forward(seconds)
            yield each

    monkeypatch.setattr(Delivery.by_due, "query", slowly)


def test_each_lane_has_its_share_of_read_time(latchkey: TestApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each lane is read for 2.5 s, however many deliveries the other lanes have."""
    now_ms = clock.now_ms()
    for lane in "02":
        for number in range(9):
            queue_delivery(find_id_in_lane(lane), number, now_ms - 9 + number)
    let_reading_take(0.5, latchkey, monkeypatch)
    assert [each.lane for each in delivery_queue.read_due(now_ms)] == ["0"] * 5 + ["2"] * 5


def test_lateness_counts_healthy_endpoints_only(latchkey: TestApp) -> None:
    """Lateness is the delay of the oldest due delivery in any lane. Deliveries to failing, slow or deleted endpoints
    don't count.
    """
    account = latchkey.account()
    now_ms = clock.now_ms()
    assert delivery_queue.oldest_overdue_ms(now_ms) is None
    waiting_there: list[tuple[str, int, dict[str, Any]]] = [
        *(("0", 9_000, {"failures": 1}), ("0", 3_000, {}), ("1", 5_000, {})),
        *(("2", 1_000, {}), ("3", 8_000, {"slow": True})),
    ]
    for number, (lane, late_ms, field) in enumerate(waiting_there):
        key = find_id_in_lane(lane, skip=number)
        build_endpoint(account.id, key, **field).save()
        queue_delivery(key, number, now_ms - late_ms, account.id)
    queue_delivery(find_id_in_lane("3", skip=9), 9, now_ms - 9_000, "acc_gone")
    assert delivery_queue.oldest_overdue_ms(now_ms) == 5_000
    Endpoint(account.id, find_id_in_lane("1", skip=2)).delete()
    assert delivery_queue.oldest_overdue_ms(now_ms) == 3_000
    assert delivery_queue.oldest_overdue_ms(now_ms - 3_001) is None


def test_lateness_search_reads_batches_within_time_limit(latchkey: TestApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lateness is found within half a second, although many deliveries of a failing endpoint are older."""
    account, now_ms = latchkey.account(), clock.now_ms()
    dead, well = find_id_in_lane("0"), find_id_in_lane("0", skip=1)
    build_endpoint(account.id, dead, failures=1).save()
    build_endpoint(account.id, well).save()
    for number in range(100):
        queue_delivery(dead, number, now_ms - 200 + number, account.id)
    queue_delivery(well, 100, now_ms - 50, account.id)
    for seconds, late_ms in ((0.005, None), (0.004, 50)):
        with monkeypatch.context() as patched:
            let_reading_take(seconds, latchkey, patched)
            assert delivery_queue.oldest_overdue_ms(now_ms) == late_ms


def test_endpoints_are_read_by_account_and_id(latchkey: TestApp) -> None:
    """Endpoints are read by account and id, and deleted endpoints are missing in the result."""
    account = latchkey.account()
    made = endpoints.create(account.id, url="https://example.com/", name="A", types=None)
    endpoints.disable(made, states.BY_ACCOUNT)
    key = (account.id, made.id)
    found = delivery_queue.read_endpoints([key, (account.id, "whk_unknown")])
    assert {key: each.status for key, each in found.items()} == {key: DISABLED}
    assert delivery_queue.read_endpoints([]) == {}


@pytest.mark.parametrize(("quiet_after_ms", "has_a_turn"), [(-1, True), (0, True), (1, False)])
def test_healthy_endpoints_are_separated_from_others(quiet_after_ms: int, has_a_turn: bool) -> None:
    """Endpoints in back-off are omitted; disabled and deleted ones are included, so that their deliveries are
    dropped.
    """
    stored = {
        ("acc_a", "whk_1"): build_endpoint(),
        ("acc_a", "whk_2"): build_endpoint(failures=1, quiet_until=1_000 + quiet_after_ms),
        ("acc_a", "whk_3"): build_endpoint(status=DISABLED),
        ("acc_a", "whk_4"): build_endpoint(slow=True, status=ENABLED),
    }
    keys = [*stored, ("acc_a", "whk_gone")]
    well, others = delivery_queue.order_by_health(keys, stored, 1_000)
    assert well == [("acc_a", "whk_1")]
    assert sorted(others) == sorted(each for each in keys[1:] if has_a_turn or each[1] != "whk_2")


def test_endpoint_order_is_random() -> None:
    """The order of endpoints is random, so no endpoint is always first."""
    keys = [("acc_a", f"whk_{number}") for number in range(20)]
    stored = {key: build_endpoint() for key in keys[:10]}
    orders = [delivery_queue.order_by_health(keys, stored, 0) for _ in range(2)]
    assert orders[0] != orders[1]
    assert {len(each) for order in orders for each in order} == {10}
