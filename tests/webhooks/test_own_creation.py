"""An endpoint isn't sent the event of its own creation, and can verify the event of its own rotation."""

import base64
import hashlib
import hmac

from chalicelib.core import clock
from chalicelib.events import kinds
from chalicelib.webhooks import endpoints, fan_out, signing
from tests.support.harness import TestApp
from tests.support.webhook_receiver import Receiver, run_receiver
from tests.webhooks.told import endpoint_of, streamed


def test_endpoint_is_not_sent_its_own_creation(local: TestApp, receiver: Receiver) -> None:
    """An endpoint isn't sent the event of its own creation, because the receiver may not have the endpoint's secret
    yet.
    """
    account = local.account()
    endpoint = endpoint_of(account, receiver, [kinds.WEBHOOK_CREATED])
    streamed(account)
    assert receiver.received == []
    assert list(fan_out.of_endpoint(endpoint.id, 10)) == []


def test_search_for_lost_events_skips_own_creation(local: TestApp, receiver: Receiver) -> None:
    """The event of an endpoint's own creation doesn't count as lost."""
    endpoint = endpoint_of(local.account(), receiver, [kinds.WEBHOOK_CREATED])
    local.clock.forward(1)
    assert fan_out.enqueue_missing(clock.now_ms(), clock.now_ms() + 10_000) == 0
    assert list(fan_out.of_endpoint(endpoint.id, 10)) == []


def test_other_endpoints_are_sent_the_creation(local: TestApp, receiver: Receiver) -> None:
    """Other endpoints of the account get the event of the creation."""
    account = local.account()
    endpoint_of(account, receiver, [kinds.WEBHOOK_CREATED])
    local.clock.forward(1)
    with run_receiver() as second:
        endpoint_of(account, second, [kinds.WEBHOOK_CREATED])
        streamed(account)
        assert second.received == []
    assert len(receiver.received) == 1


def test_own_rotation_is_signed_with_old_secret_too(local: TestApp, receiver: Receiver) -> None:
    """The event `webhook.secret_rotated` is also signed with the old secret, which the receiver still has."""
    account = local.account()
    endpoint = endpoint_of(account, receiver, [kinds.WEBHOOK_SECRET_ROTATED])
    old = base64.b64decode(signing.secret_of(endpoint).removeprefix(signing.PREFIX))
    local.clock.forward(1)
    endpoints.rotate_secret(endpoint)
    streamed(account)
    (message,) = receiver.received
    signed = f"{message.id}.{message.headers['webhook-timestamp']}.".encode() + message.body
    wanted = "v1," + base64.b64encode(hmac.new(old, signed, hashlib.sha256).digest()).decode()
    assert wanted in message.headers["webhook-signature"].split()
