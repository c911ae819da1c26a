"""No event overtakes another while no attempt fails, whoever else is at work, and whatever of ours fails in between."""

from typing import Any

import pytest

from chalicelib.api import background
from chalicelib.core import clock
from chalicelib.core.dynamodb.errors import Unreachable, WireError
from chalicelib.webhooks import deliver, endpoint_lock, endpoints, fan_out
from chalicelib.webhooks.states import PENDING
from chalicelib.webhooks.tables import Delivery, Endpoint
from tests.support.harness import TestApp
from tests.support.webhook_receiver import Receiver
from tests.webhooks.test_turns import SWEEP_MS, Sent, put, sent, swept
from tests.webhooks.told import as_it_stands, endpoint_of, happens, streamed

__all__ = ["sent"]


def fails_at(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, turn_of: int) -> None:
    """Let the database fail one call of a function."""
    real, calls = getattr(owner, name), []

    def fails(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == turn_of:
            raise Unreachable("NoAnswer", "no answer", {})
        return real(*arguments)

    monkeypatch.setattr(owner, name, fails)


def test_what_came_since_a_sweep_read_its_queue_is_sent_by_it(local: TestApp, sent: Sent, receiver: Receiver) -> None:
    """Only then is the endpoint no longer behind."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    happened = [happens(local, ada, "1")]
    put(ada)
    endpoint_lock.fall_behind(endpoint)
    local.clock.forward(30)

    def meanwhile() -> None:
        sent.before = lambda: None
        happened.append(happens(local, ada, "2"))
        streamed(ada)

    sent.before = meanwhile
    deliver.sweep(clock.now_ms() + SWEEP_MS)
    assert as_it_stands(endpoint).behind_since is None
    happened.append(happens(local, ada, "3"))
    streamed(ada)
    assert sent.to(endpoint) == happened


@pytest.mark.parametrize("how", ["slow", "failing"])
def test_what_was_left_to_the_sweep_comes_first(local: TestApp, receiver: Receiver, how: str) -> None:
    """Though a test message shows meanwhile that the endpoint answers well again."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    if how == "slow":
        Endpoint(ada.id, endpoint.id).update(actions=[Endpoint.slow.set(True)])
    else:
        receiver.says = [500, 204]
        deliver.send_test(endpoint)
    happened = [happens(local, ada, "1")]
    streamed(ada)
    deliver.send_test(as_it_stands(endpoint))
    happened.append(happens(local, ada, "2"))
    streamed(ada)
    local.clock.forward(30)
    background.every_minute()
    assert [each for each in receiver.ids if each in happened] == happened


def test_what_the_hourly_look_put_first_is_sent_when_the_stream_brings_it(local: TestApp, receiver: Receiver) -> None:
    """The look may be quicker than the stream."""
    ada = local.account()
    endpoint_of(ada, receiver)
    happened = []
    for number in range(2):
        happened.append(happens(local, ada, str(number)))
        background.every_hour()
        streamed(ada)
    assert receiver.ids == happened


@pytest.mark.parametrize(
    ("owner", "name", "turn_of"),
    [(fan_out, "_put", 3), (deliver, "_claimed", 2), (endpoint_lock, "acquire", 1), (deliver, "record_outcome", 1)],
    ids=["put", "claim", "acquire", "record_outcome"],
)
def test_database_that_fails_once_breaks_no_order(
    local: TestApp, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, turn_of: int
) -> None:
    """Neither when the stream brings the same again, nor with what happens next."""
    ada = local.account()
    endpoint_of(ada, receiver)
    happened = [happens(local, ada, str(number)) for number in range(4)]
    fails_at(monkeypatch, owner, name, turn_of)
    try:
        streamed(ada)
    except WireError:
        streamed(ada)
    happened.append(happens(local, ada, "later"))
    streamed(ada)
    for _ in range(2):
        local.clock.forward(61)
        background.every_minute()
    # What was sent and couldn't be written down comes again.
    assert list(dict.fromkeys(receiver.ids)) == happened


def test_busy_endpoint_catches_up_however_much_happens(local: TestApp, sent: Sent, receiver: Receiver) -> None:
    """Time bounds a turn, no number does; after it events are sent at once again."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    endpoint_lock.fall_behind(endpoint)
    for number in range(130):
        happens(local, ada, f"Ada {number}")
    streamed(ada)
    assert sent.messages == []
    swept(local, 1)
    assert not [each for each in Delivery.query(endpoint.id) if each.state == PENDING]
    last = happens(local, ada, "last")
    streamed(ada)
    assert sent.to(endpoint)[-1] == last


def test_other_url_is_told_first_of_what_waits(local: TestApp, sent: Sent, receiver: Receiver) -> None:
    """And is judged by what it answers itself: neither left alone nor disabled for the one before it."""
    ada = local.account()
    endpoint = endpoints.create(ada.id, url="http://127.0.0.1:9/", name="Ledger", types=["account.renamed"])
    happened = [happens(local, ada, "1")]
    streamed(ada)
    swept(local, 30)
    assert as_it_stands(endpoint).failures > 2
    endpoints.change(as_it_stands(endpoint), url=receiver.url, name=None, types=None)
    stands = as_it_stands(endpoint)
    assert [stands.failures, stands.failing_since, stands.quiet_until] == [0, None, None]
    happened.append(happens(local, ada, "2"))
    streamed(ada)
    sent.messages.clear()
    swept(local, 6 * 60)
    assert sorted(sent.to(endpoint)) == happened
