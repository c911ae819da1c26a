"""A webhook's own creation and rotation: nothing is sent to it that its owner can't verify."""

import base64
import hashlib
import hmac

from chalicelib.core import clock
from chalicelib.events import kinds
from chalicelib.webhooks import endpoints, fan_out, signing
from tests.support.harness import TestApp
from tests.support.webhook_receiver import Receiver, run_receiver
from tests.webhooks.told import endpoint_of, streamed


def test_webhook_is_not_sent_its_own_creation(local: TestApp, receiver: Receiver) -> None:
    """Its secret is shown in the answer that creates it, so nobody could verify that first message."""
    account = local.account()
    endpoint = endpoint_of(account, receiver, [kinds.WEBHOOK_CREATED])
    streamed(account)
    assert receiver.received == []
    assert list(fan_out.of_endpoint(endpoint.id, 10)) == []


def test_sweep_does_not_send_a_webhook_its_own_creation_either(local: TestApp, receiver: Receiver) -> None:
    """What looks for lost events doesn't take it for one."""
    endpoint = endpoint_of(local.account(), receiver, [kinds.WEBHOOK_CREATED])
    local.clock.forward(1)
    assert fan_out.put_what_is_missing(clock.now_ms(), clock.now_ms() + 10_000) == 0
    assert list(fan_out.of_endpoint(endpoint.id, 10)) == []


def test_other_webhooks_are_sent_the_creation_of_one(local: TestApp, receiver: Receiver) -> None:
    """Whoever watches an account learns of a webhook that somebody adds."""
    account = local.account()
    endpoint_of(account, receiver, [kinds.WEBHOOK_CREATED])
    local.clock.forward(1)
    with run_receiver() as second:
        endpoint_of(account, second, [kinds.WEBHOOK_CREATED])
        streamed(account)
        assert second.received == []
    assert len(receiver.received) == 1


def test_own_rotation_is_verified_with_the_secret_from_before(local: TestApp, receiver: Receiver) -> None:
    """`webhook.secret_rotated` carries a signature of the old secret, which the receiver still has."""
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
