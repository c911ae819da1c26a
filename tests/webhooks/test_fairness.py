"""Slow, unreachable or backlogged endpoints don't delay deliveries to others."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.api import background
from chalicelib.core import clock
from chalicelib.webhooks import (
    deliver,
    delivery_queue,
    endpoints,
    fan_out,
    states,
)
from chalicelib.webhooks.states import DELIVERED, FAILED
from chalicelib.webhooks.tables import Delivery, Endpoint
from tests.support.harness import TestApp
from tests.support.webhook_receiver import Receiver
from tests.webhooks.fake_attempts import (
    SWEEP_MS,
    Sent,
    create_dead_endpoints,
    put,
    queue_events,
    queue_for_healthy_endpoint,
    sent,
    sweep_each_minute,
)
from tests.webhooks.told import delivery, endpoint_of, happens, reload, streamed

__all__ = ["sent"]


def test_unreachable_endpoints_do_not_delay_others(local: TestApp, sent: Sent, receiver: Receiver) -> None:
    """Unreachable endpoints are tried with a growing back-off, and deliveries to others aren't delayed."""
    ada, bob = local.account(), local.account()
    dead = create_dead_endpoints(ada, 8)
    for number in range(5):
        happens(local, ada, f"Ada {number}")
    put(ada)
    good = endpoint_of(bob, receiver)
    event_id = happens(local, bob)
    put(bob)
    sweep_each_minute(local, 5)
    assert delivery(good, event_id).state == DELIVERED
    assert all(sent.to(endpoint) for endpoint in dead)
    later = happens(local, bob)
    put(bob)
    sweep_each_minute(local, 1)
    assert delivery(good, later).state == DELIVERED
    sweep_each_minute(local, 30)
    tried = Counter(endpoint.id for endpoint, _ in sent.messages)
    assert max(tried[endpoint.id] for endpoint in dead) <= 10


def test_slow_endpoint_with_long_queue_does_not_delay_others(local: TestApp, sent: Sent, receiver: Receiver) -> None:
    """Healthy endpoints have separate threads, so a slow endpoint with a long queue doesn't delay them."""
    ada = local.account()
    slow = endpoint_of(ada, receiver)
    Endpoint(ada.id, slow.id).update(actions=[Endpoint.slow.set(True)])
    queue_events(local, ada, 60)
    good, event_id = queue_for_healthy_endpoint(local, receiver)
    sent.took_s = 5
    sweep_each_minute(local, 1)
    assert delivery(good, event_id).state == DELIVERED


def test_long_queues_of_healthy_endpoints_do_not_delay_others(local: TestApp, sent: Sent, receiver: Receiver) -> None:
    """While other endpoints wait for a thread, the time for one endpoint is limited."""
    ada = local.account()
    for _ in range(8):
        endpoint_of(ada, receiver)
    queue_events(local, ada, 40)
    good, event_id = queue_for_healthy_endpoint(local, receiver)
    sent.took_s = 1.9
    sweep_each_minute(local, 1)
    assert len({endpoint.id for endpoint, _ in sent.messages}) >= SWEEP_MS // deliver.SLOT_MS
    # The first endpoint isn't known, because the order is random.
    for _ in range(15):
        sweep_each_minute(local, 1)
        if delivery(good, event_id).state == DELIVERED:
            break
    assert delivery(good, event_id).state == DELIVERED


def test_backlog_beyond_read_limit_does_not_hide_others(
    local: TestApp, sent: Sent, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backlog that is longer than a sweep can read doesn't hide other deliveries, and lateness is still measured."""
    monkeypatch.setattr(fan_out, "LANES", ("0",))
    monkeypatch.setattr(delivery_queue, "LANES", ("0",))
    ada, bob = local.account(), local.account()
    create_dead_endpoints(ada, 1)
    good = endpoint_of(bob, receiver)
    for number in range(30):
        happens(local, ada, f"Ada {number}")
    put(ada)
    sweep_each_minute(local, 1)
    event_id = happens(local, bob)
    put(bob)
    local.clock.forward(60)
    assert delivery_queue.oldest_overdue_ms(clock.now_ms()) == 60_000
    query = Delivery.by_due.query

    def slowly(*arguments: Any, **named: Any) -> Iterator[Delivery]:
        for each in query(*arguments, **named):
            local.clock.forward(1)
            yield each

    monkeypatch.setattr(Delivery.by_due, "query", slowly)
    sweep_each_minute(local, 2)
    assert delivery(good, event_id).state == DELIVERED


def test_dead_receiver_does_not_count_as_late(local: TestApp, sent: Sent) -> None:
    """An unreachable receiver doesn't make deliveries late, because the status page shows only the service's own
    delays.
    """
    ada = local.account()
    create_dead_endpoints(ada, 1)
    for number in range(40):
        happens(local, ada, f"Ada {number}")
    streamed(ada)
    late = []
    for _ in range(10):
        local.clock.forward(60)
        late.append(delivery_queue.oldest_overdue_ms(clock.now_ms()))
        deliver.sweep(clock.now_ms() + SWEEP_MS)
    assert late == [None] * 10


def test_deliveries_of_disabled_endpoint_are_dropped_in_one_sweep(local: TestApp, receiver: Receiver) -> None:
    """Deliveries of a disabled endpoint, however many, are dropped in one sweep and don't count as late."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    for number in range(60):
        happens(local, ada, f"Ada {number}")
    put(ada)
    endpoints.disable(reload(endpoint), states.BY_ACCOUNT)
    background.every_minute()
    assert {each.state for each in Delivery.query(endpoint.id)} == {FAILED}
