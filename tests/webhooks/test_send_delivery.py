"""A delivery attempt: its request, deadline and outcome."""

import json
import socket
from pathlib import Path

import pytest

from chalicelib.core import clock
from chalicelib.webhooks import fan_out, send_delivery, signing
from chalicelib.webhooks.send_delivery import Outcome
from chalicelib.webhooks.tables import Delivery, Endpoint
from tests.support.harness import TestApp
from tests.support.webhook_receiver import Receiver
from tests.webhooks.told import endpoint_of

BODY = '{"type":"key.created","timestamp":"2021-12-20T10:00:00Z","data":{}}'


def create_delivery(latchkey: TestApp, receiver: Receiver) -> tuple[Endpoint, Delivery]:
    """Return an endpoint and a delivery to it."""
    endpoint = endpoint_of(latchkey.account(), receiver)
    return endpoint, fan_out.new_delivery(endpoint, "evt_x", "key.created", BODY, due_at=0)


@pytest.mark.parametrize(
    ("status", "is_delivered", "is_unreachable", "is_gone"),
    [
        *((199, False, False, False), (200, True, False, False), (204, True, False, False)),
        *((299, True, False, False), (300, False, False, False), (410, False, False, True)),
        *((409, False, False, False), (411, False, False, False), (None, False, True, False)),
    ],
)
def test_2xx_is_delivered_and_410_is_gone(
    status: int | None, is_delivered: bool, is_unreachable: bool, is_gone: bool
) -> None:
    """A 2xx response counts as delivered, a 410 as gone, no response as unreachable, and any other status as failed."""
    outcome = Outcome(5, 7, status, "text", "problem", 9)
    assert (outcome.is_delivered, outcome.is_unreachable, outcome.is_gone) == (is_delivered, is_unreachable, is_gone)
    kept = outcome.to_attempt()
    assert (kept.at, kept.took_ms, kept.status, kept.answer, kept.problem) == (5, 7, status, "text", "problem")
    assert Outcome(5, 7, status).not_before_ms == 0


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        *(
            (200, None),
            (299, None),
            (400, "The endpoint responded with 400."),
            (503, "The endpoint responded with 503."),
            (410, "The endpoint responded with 410 Gone."),
        ),
        *((status, "The endpoint responded with a redirect, which is not followed.") for status in (300, 307, 399)),
    ],
)
def test_problem_describes_response(local: TestApp, receiver: Receiver, status: int, problem: str | None) -> None:
    """The problem describes the response in words that help to debug a receiver."""
    receiver.statuses = [status]
    outcome = send_delivery.send(*create_delivery(local, receiver))
    assert (outcome.status, outcome.problem) == (status, problem)


def test_message_is_sent_as_signed_json(local: TestApp, receiver: Receiver) -> None:
    """The message is sent as JSON to the endpoint's URL, signed with the current timestamp."""
    endpoint, delivery = create_delivery(local, receiver)
    send_delivery.send(endpoint, delivery)
    (sent,) = receiver.received
    assert (sent.body.decode(), sent.path) == (BODY, "/hooks")
    assert (sent.headers["content-type"], sent.headers["accept"]) == ("application/json", "*/*")
    vouched = signing.headers("evt_x", clock.now_s(), sent.body, signing.keys_of(endpoint))
    assert {name: sent.headers[name] for name in vouched} == vouched


def test_first_thousand_bytes_of_response_are_kept(local: TestApp, receiver: Receiver) -> None:
    """The first thousand bytes of a response are kept, in any encoding. For an empty response nothing is kept."""
    for response, kept in (
        (b"x" * 1_001, "x" * 1_000),
        (b"x" * 1_000, "x" * 1_000),
        (b"", None),
        (b"\xff", "\ufffd"),
    ):
        receiver.statuses, receiver.response_body = [200], response
        assert send_delivery.send(*create_delivery(local, receiver)).answer == kept


def test_outcome_has_time_duration_and_retry_after(local: TestApp, receiver: Receiver) -> None:
    """The outcome has the time, the duration in milliseconds, and the time from Retry-After."""
    receiver.headers = {"Retry-After": "60"}
    with clock.use_monotonic_clock(lambda: 2_999_999 * len(receiver.received)):
        outcome = send_delivery.send(*create_delivery(local, receiver))
    assert (outcome.at_ms, outcome.took_ms, outcome.not_before_ms) == (clock.now_ms(), 2, clock.now_ms() + 60_000)


def test_receiver_beyond_deadline_is_unreachable(local: TestApp, receiver: Receiver) -> None:
    """A response after the deadline counts as no response."""
    endpoint, delivery = create_delivery(local, receiver)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint.url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        outcome = send_delivery.send(endpoint, delivery, deadline_s=0.2)
    assert [outcome.status, outcome.answer, outcome.not_before_ms] == [None, None, 0]
    assert outcome.problem == "It takes too long."


def test_guide_states_the_deadlines() -> None:
    """The guide states the deadlines of 15 seconds, and of 5 seconds for manual sends."""
    guide = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text()
    assert "any 2xx within 15 seconds" in guide
    assert (send_delivery.DEADLINE_S, send_delivery.MANUAL_DEADLINE_S) == (15, 5)


def test_unredacted_stored_body_is_sent_redacted(local: TestApp, receiver: Receiver) -> None:
    """An event about another person's action is sent with the actor's role only, even if the stored body contains the
    actor's id, address and reason.
    """
    endpoint, _ = create_delivery(local, receiver)
    data = {"type": "key.revoked", "actor": "acc_admin", "source_ip": "203.0.113.7", "reason": "Because", "æ": 1}
    whole = {"type": "key.revoked", "timestamp": "2021-12-20T10:00:00Z", "data": data}
    send_delivery.send(endpoint, fan_out.new_delivery(endpoint, "evt_x", "key.revoked", json.dumps(whole), due_at=0))
    (sent,) = receiver.received
    shown = {"type": "key.revoked", "actor": "admin", "source_ip": None, "reason": None, "æ": 1, "user_id": None}
    assert json.loads(sent.body) == {**whole, "data": shown}
    assert sent.body.decode() == json.dumps({**whole, "data": shown}, separators=(",", ":"), ensure_ascii=False)
