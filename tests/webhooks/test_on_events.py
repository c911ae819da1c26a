"""Processing of events: webhooks, missing invalidation marks, and the endpoints of deleted accounts."""

import io
import json

import pytest

from chalicelib.accounts import invalidation
from chalicelib.core import clock, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb import models
from chalicelib.core.dynamodb.errors import Unreachable
from chalicelib.events import kinds, record
from chalicelib.webhooks import endpoints, on_events
from chalicelib.webhooks.states import DELIVERED, PENDING
from chalicelib.webhooks.tables import Delivery, Endpoint
from tests.support.harness import AccountOfTest, TestApp
from tests.support.interleaving import fail_calls
from tests.support.webhook_receiver import Receiver
from tests.webhooks.told import delivery, endpoint_of, happens, images, reload


def record_event(account: AccountOfTest, kind: str, **changed: str) -> dynamodb.Json:
    """Record an event without setting the invalidation mark, and return the event's item."""
    with models.transaction() as write:
        record.add_to(write, account.id, kind, changed)
    return images(account.id)[-1]


@pytest.mark.parametrize(("after_s", "is_marked"), [(0, True), (400, True), (400.001, False)])
def test_missing_mark_is_restored_while_decisions_are_cached(
    latchkey: TestApp, after_s: float, is_marked: bool
) -> None:
    """A missing invalidation mark is set for events of the last 400 s, because API Gateway caches
    policies for 300 s.
    """
    ada = latchkey.account()
    image = record_event(ada, kinds.STANDING_CHANGED, tier="pro")
    at_ms = clock.now_ms()
    latchkey.clock.forward(after_s)
    on_events.process([image])
    assert invalidation.is_marked(ada.id, at_ms) is is_marked


def test_event_without_effect_on_decisions_sets_no_mark(latchkey: TestApp) -> None:
    """A new account name sets no invalidation mark, because it doesn't change what a credential may do."""
    ada = latchkey.account()
    on_events.process([record_event(ada, kinds.ACCOUNT_RENAMED, name="B")])
    assert not invalidation.is_marked(ada.id, clock.now_ms())


def test_event_of_a_change_without_mark_sets_none(latchkey: TestApp) -> None:
    """The event of a grant that was deleted with its client sets no mark, because verification refuses the client."""
    ada = latchkey.account()
    event = record.derive(ada.id, kinds.GRANT_REVOKED, {}, of="gra_1", at_ms=clock.now_ms())
    on_events.process([event.serialize()])
    assert not invalidation.is_marked(ada.id, clock.now_ms())


def test_failed_mark_is_retried_by_stream(latchkey: TestApp) -> None:
    """If an invalidation mark can't be set, an exception is raised, so that the stream sends the event again."""
    image = record_event(latchkey.account(), kinds.STANDING_CHANGED, tier="pro")
    with fail_calls("UpdateItem"), pytest.raises(Unreachable):
        on_events.process([image])


def test_unreadable_event_is_skipped_and_counted(latchkey: TestApp) -> None:
    """An unreadable event is skipped and counted, and the remaining events are processed. An item that isn't an event
    isn't counted.
    """
    ada = latchkey.account()
    image = record_event(ada, kinds.STANDING_CHANGED, tier="pro")
    unreadable = [{**image, "type": {"S": "account.eaten"}}, {**image, "at": {"N": "soon"}}, {"id": {"S": None}}, {}]
    stream = io.StringIO()
    telemetry.write_to(stream)
    on_events.process([{**image, "id": {"S": "quota#1"}}])
    assert stream.getvalue() == ""
    on_events.process([*unreadable, image])
    telemetry.write_to(None)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    counted = [line["task"] for line in lines if line.get("BackgroundFaults") == 1]
    assert counted == ["event_unreadable"] * len(unreadable)
    assert [line["level"] for line in lines if line["message"] == "event_unreadable"] == ["ERROR"] * len(unreadable)
    assert invalidation.is_marked(ada.id, clock.now_ms())


@pytest.mark.parametrize("why", ["failures", "slow", "behind_since"])
def test_event_for_failing_endpoint_is_left_to_sweep(local: TestApp, receiver: Receiver, why: str) -> None:
    """A failing, slow or backlogged endpoint is left to the sweep, and the account's other endpoint gets the event at
    once.
    """
    ada = local.account()
    left, prompt = endpoint_of(ada, receiver), endpoint_of(ada, receiver)
    value = {"failures": Endpoint.failures.set(1), "slow": Endpoint.slow.set(True)}
    Endpoint(ada.id, left.id).update(actions=[value.get(why, Endpoint.behind_since.set(1))])
    event_id = happens(local, ada)
    on_events.process(images(ada.id))
    assert (delivery(left, event_id).state, delivery(prompt, event_id).state) == (PENDING, DELIVERED)
    assert reload(left).behind_since == clock.now_ms()
    assert reload(prompt).behind_since is None


def test_immediate_sending_ends_after_five_seconds(local: TestApp, receiver: Receiver) -> None:
    """After five seconds, the remaining deliveries are left to the sweep."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    for number in range(9):
        happens(local, ada, str(number))
    began_ms = clock.now_ms()
    with clock.use_wall_clock(lambda: began_ms + 1_000 * len(receiver.received)):
        on_events.process(images(ada.id))
    assert len(receiver.received) == 5
    assert [each.state for each in Delivery.query(endpoint.id)] == [DELIVERED] * 5 + [PENDING] * 4


def test_endpoints_of_deleted_account_are_deleted_after_its_event(local: TestApp, receiver: Receiver) -> None:
    """The endpoints of a deleted account are deleted with the service as actor; other accounts' endpoints stay."""
    ada, bob = local.account(), local.account(name="Bob")
    for _ in range(2):
        endpoint_of(ada, receiver, [kinds.ACCOUNT_DELETED])
    other = endpoint_of(bob, receiver)
    local.clock.forward(1)
    on_events.process([record_event(ada, kinds.ACCOUNT_DELETED), record_event(bob, kinds.ACCOUNT_RENAMED, name="B")])
    assert list(endpoints.of_account(ada.id)) == []
    assert reload(other).id == other.id
    assert [event.actor for event in record.newest_first(ada.id, 2)] == ["latchkey", "latchkey"]
    assert len(receiver.received) == 3
