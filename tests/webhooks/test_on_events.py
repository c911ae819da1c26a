"""What follows from an event: its webhooks, a mark that was lost, and the end of an account's endpoints."""

import io
import json

import pytest

from chalicelib.accounts.tables import Account
from chalicelib.core import clock, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb import models
from chalicelib.core.dynamodb.errors import Unreachable
from chalicelib.events import kinds, record
from chalicelib.limits import stale_marks
from chalicelib.webhooks import endpoints, on_events
from chalicelib.webhooks.states import DELIVERED, PENDING
from chalicelib.webhooks.tables import Delivery, Endpoint
from tests.support.harness import TestApp
from tests.support.interleaving import fail_calls
from tests.support.webhook_receiver import Receiver
from tests.webhooks.told import as_it_stands, delivery, endpoint_of, happens, images


def happened(account: Account, kind: str, **changed: str) -> dynamodb.Json:
    """Let something have happened to an account at this moment, without a mark; return its item."""
    with models.transaction() as write:
        record.add_to(write, account.id, kind, changed)
    return images(account.id)[-1]


@pytest.mark.parametrize(("after_s", "is_marked"), [(0, True), (400, True), (400.001, False)])
def test_lost_mark_is_set_while_anything_from_before_is_believed(
    latchkey: TestApp, after_s: float, is_marked: bool
) -> None:
    """400 seconds: the gateway forgets within 300."""
    ada = latchkey.account()
    image = happened(ada, kinds.STANDING_CHANGED, tier="pro")
    at_ms = clock.now_ms()
    latchkey.clock.forward(after_s)
    on_events.up([image])
    assert stale_marks.is_marked(ada.id, at_ms) is is_marked


def test_no_mark_is_set_for_what_ends_no_verdict(latchkey: TestApp) -> None:
    """A name is no credential."""
    ada = latchkey.account()
    on_events.up([happened(ada, kinds.ACCOUNT_RENAMED, name="B")])
    assert not stale_marks.is_marked(ada.id, clock.now_ms())


def test_mark_that_can_not_be_set_is_tried_again_by_the_stream(latchkey: TestApp) -> None:
    """Which brings again what raises."""
    image = happened(latchkey.account(), kinds.STANDING_CHANGED, tier="pro")
    with fail_calls("UpdateItem"), pytest.raises(Unreachable):
        on_events.up([image])


def test_item_that_is_no_event_is_left_out_and_counted(latchkey: TestApp) -> None:
    """What else lies in the table isn't; neither keeps the others from being followed up."""
    ada = latchkey.account()
    image = happened(ada, kinds.STANDING_CHANGED, tier="pro")
    unreadable = [{**image, "type": {"S": "account.eaten"}}, {**image, "at": {"N": "soon"}}, {"id": {"S": None}}, {}]
    stream = io.StringIO()
    telemetry.write_to(stream)
    on_events.up([{**image, "id": {"S": "quota#1"}}])
    assert stream.getvalue() == ""
    on_events.up([*unreadable, image])
    telemetry.write_to(None)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    counted = [line["task"] for line in lines if line.get("BackgroundFaults") == 1]
    assert counted == ["event_unreadable"] * len(unreadable)
    assert [line["level"] for line in lines if line["message"] == "event_unreadable"] == ["ERROR"] * len(unreadable)
    assert stale_marks.is_marked(ada.id, clock.now_ms())


@pytest.mark.parametrize("why", ["failures", "slow", "behind_since"])
def test_what_happens_to_an_endpoint_that_does_not_answer_well_is_left_to_the_sweep(
    local: TestApp, receiver: Receiver, why: str
) -> None:
    """It is behind from then on; another one of the same account is sent to at once."""
    ada = local.account()
    left, prompt = endpoint_of(ada, receiver), endpoint_of(ada, receiver)
    value = {"failures": Endpoint.failures.set(1), "slow": Endpoint.slow.set(True)}
    Endpoint(ada.id, left.id).update(actions=[value.get(why, Endpoint.behind_since.set(1))])
    event_id = happens(local, ada)
    on_events.up(images(ada.id))
    assert (delivery(left, event_id).state, delivery(prompt, event_id).state) == (PENDING, DELIVERED)
    assert as_it_stands(left).behind_since == clock.now_ms()
    assert as_it_stands(prompt).behind_since is None


def test_sending_at_once_ends_after_five_seconds(local: TestApp, receiver: Receiver) -> None:
    """The rest is left to the sweep."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    for number in range(9):
        happens(local, ada, str(number))
    began_ms = clock.now_ms()
    with clock.driven_by(lambda: began_ms + 1_000 * len(receiver.received)):
        on_events.up(images(ada.id))
    assert len(receiver.received) == 5
    assert [each.state for each in Delivery.query(endpoint.id)] == [DELIVERED] * 5 + [PENDING] * 4


def test_endpoints_of_a_deleted_account_end_once_it_was_told_to_them(local: TestApp, receiver: Receiver) -> None:
    """Nobody in person deletes them; another account's go on."""
    ada, bob = local.account(), local.account(name="Bob")
    for _ in range(2):
        endpoint_of(ada, receiver, [kinds.ACCOUNT_DELETED])
    other = endpoint_of(bob, receiver)
    local.clock.forward(1)
    on_events.up([happened(ada, kinds.ACCOUNT_DELETED), happened(bob, kinds.ACCOUNT_RENAMED, name="B")])
    assert list(endpoints.of_account(ada.id)) == []
    assert as_it_stands(other).id == other.id
    assert [event.actor for event in record.newest_first(ada.id, 2)] == ["latchkey", "latchkey"]
    assert len(receiver.received) == 3
