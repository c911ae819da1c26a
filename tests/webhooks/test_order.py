"""Order of delivery: events arrive in order while no attempt fails, despite concurrent functions and internal
errors.
"""

from typing import Any

import pytest

from chalicelib.api import background
from chalicelib.core import clock
from chalicelib.core.dynamodb.errors import DynamoDBError, Unreachable
from chalicelib.webhooks import deliver, endpoint_lock, endpoints, fan_out
from chalicelib.webhooks.states import PENDING
from chalicelib.webhooks.tables import Delivery, Endpoint
from tests.support.harness import TestApp
from tests.support.webhook_receiver import Receiver
from tests.webhooks.fake_attempts import SWEEP_MS, Sent, put, sent, sweep_each_minute
from tests.webhooks.told import endpoint_of, happens, reload, streamed

__all__ = ["sent"]


def fail_at(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, turn_of: int) -> None:
    """Make one call of a function raise a database error."""
    real, calls = getattr(owner, name), []

    def fails(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == turn_of:
            raise Unreachable("NoAnswer", "no answer", {})
        return real(*arguments)

    monkeypatch.setattr(owner, name, fails)


def test_sweep_sends_deliveries_created_after_it_read_queue(local: TestApp, sent: Sent, receiver: Receiver) -> None:
    """A delivery created after the sweep has read the queue is sent before the backlog is cleared."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    event_ids = [happens(local, ada, "1")]
    put(ada)
    endpoint_lock.mark_backlogged(endpoint)
    local.clock.forward(30)

    def meanwhile() -> None:
        sent.before = lambda: None
        event_ids.append(happens(local, ada, "2"))
        streamed(ada)

    sent.before = meanwhile
    deliver.sweep(clock.now_ms() + SWEEP_MS)
    assert reload(endpoint).behind_since is None
    event_ids.append(happens(local, ada, "3"))
    streamed(ada)
    assert sent.to(endpoint) == event_ids


@pytest.mark.parametrize("how", ["slow", "failing"])
def test_backlog_is_sent_before_newer_events(local: TestApp, receiver: Receiver, how: str) -> None:
    """Events of a backlog are sent before newer ones, even after a successful test message."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    if how == "slow":
        Endpoint(ada.id, endpoint.id).update(actions=[Endpoint.slow.set(True)])
    else:
        receiver.statuses = [500, 204]
        deliver.send_test(endpoint)
    event_ids = [happens(local, ada, "1")]
    streamed(ada)
    deliver.send_test(reload(endpoint))
    event_ids.append(happens(local, ada, "2"))
    streamed(ada)
    local.clock.forward(30)
    background.every_minute()
    assert [each for each in receiver.ids if each in event_ids] == event_ids


def test_delivery_created_by_hourly_run_is_sent_by_stream(local: TestApp, receiver: Receiver) -> None:
    """The stream sends a delivery even if the hourly run has already created it."""
    ada = local.account()
    endpoint_of(ada, receiver)
    event_ids = []
    for number in range(2):
        event_ids.append(happens(local, ada, str(number)))
        background.every_hour()
        streamed(ada)
    assert receiver.ids == event_ids


@pytest.mark.parametrize(
    ("owner", "name", "turn_of"),
    [(fan_out, "_put", 3), (deliver, "_claim", 2), (endpoint_lock, "acquire", 1), (deliver, "record_outcome", 1)],
    ids=["put", "claim", "acquire", "record_outcome"],
)
def test_single_database_error_keeps_order(
    local: TestApp, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, turn_of: int
) -> None:
    """After a database error, repeated stream records and later events are still sent in order."""
    ada = local.account()
    endpoint_of(ada, receiver)
    event_ids = [happens(local, ada, str(number)) for number in range(4)]
    fail_at(monkeypatch, owner, name, turn_of)
    try:
        streamed(ada)
    except DynamoDBError:
        streamed(ada)
    event_ids.append(happens(local, ada, "later"))
    streamed(ada)
    for _ in range(2):
        local.clock.forward(61)
        background.every_minute()
    # A message is sent again if its result couldn't be stored.
    assert list(dict.fromkeys(receiver.ids)) == event_ids


def test_busy_endpoint_clears_backlog_within_time_limit(local: TestApp, sent: Sent, receiver: Receiver) -> None:
    """A sweep sends the whole backlog of an endpoint if the time limit allows it. Later events are then sent
    immediately again.
    """
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    endpoint_lock.mark_backlogged(endpoint)
    for number in range(130):
        happens(local, ada, f"Ada {number}")
    streamed(ada)
    assert sent.messages == []
    sweep_each_minute(local, 1)
    assert not [each for each in Delivery.query(endpoint.id) if each.state == PENDING]
    last = happens(local, ada, "last")
    streamed(ada)
    assert sent.to(endpoint)[-1] == last


def test_new_url_receives_pending_deliveries_first(local: TestApp, sent: Sent, receiver: Receiver) -> None:
    """A new URL gets the pending deliveries first, without the back-off and failures of the old URL."""
    ada = local.account()
    endpoint = endpoints.create(ada.id, url="http://127.0.0.1:9/", name="Ledger", types=["account.renamed"])
    event_ids = [happens(local, ada, "1")]
    streamed(ada)
    sweep_each_minute(local, 30)
    assert reload(endpoint).failures > 2
    endpoints.change(reload(endpoint), url=receiver.url, name=None, types=None)
    current = reload(endpoint)
    assert [current.failures, current.failing_since, current.quiet_until] == [0, None, None]
    event_ids.append(happens(local, ada, "2"))
    streamed(ada)
    sent.messages.clear()
    sweep_each_minute(local, 6 * 60)
    assert sorted(sent.to(endpoint)) == event_ids
