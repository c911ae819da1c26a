"""Signatures of messages, verified with independent libraries."""

import base64
import json
import os
import subprocess
import time
from pathlib import Path

import pytest
import standardwebhooks
import svix

from chalicelib.core import clock
from chalicelib.webhooks import endpoints, signing
from chalicelib.webhooks.tables import Endpoint
from infra import pinned
from tests.support.harness import TestApp
from tests.support.webhook_receiver import Receiver
from tests.webhooks.told import endpoint_of, happens, reload, streamed

VECTORS = json.loads(Path(__file__).with_name("vectors.json").read_text())


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda vector: vector["name"])
def test_published_vector_is_reproduced(vector: dict[str, str]) -> None:
    """The signature of the published test vector is reproduced byte for byte."""
    key = base64.b64decode(vector["secret"])
    made = signing.headers(vector["id"], int(vector["timestamp"]), vector["body"].encode(), [key])
    assert made["webhook-signature"] == vector["signature"]


def test_python_libraries_verify_signature(local: TestApp, receiver: Receiver) -> None:
    """The packages standardwebhooks and svix accept a message with the secret, and reject it if a byte is changed."""
    ada = local.account()
    endpoint = endpoint_of(ada, receiver)
    happens(local, ada)
    streamed(ada)
    (sent,) = receiver.received
    secret = signing.secret_of(endpoint)
    now_s = int(sent.headers["webhook-timestamp"])
    assert now_s == clock.now_s()
    fresh = dict(sent.headers)
    for library, error in (
        (standardwebhooks.Webhook, standardwebhooks.WebhookVerificationError),
        (svix.Webhook, svix.WebhookVerificationError),
    ):
        judge = library(secret)
        # The libraries read the system clock, so the body is signed for the current time.
        fresh |= _sign_now(sent.id, sent.body, endpoint)
        judge.verify(sent.body, fresh)
        with pytest.raises(error):
            judge.verify(sent.body.replace(b"Lovelace", b"Lovelock"), fresh)
    again = signing.headers(sent.id, now_s, sent.body, signing.keys_of(endpoint))
    assert {name: sent.headers[name] for name in again} == again


@pytest.mark.parametrize("library", ["standardwebhooks", "svix"])
def test_node_libraries_verify_signature(local: TestApp, library: str, tmp_path: Path) -> None:
    """The JavaScript code in the guide accepts a message, and rejects it if a byte is changed."""
    ada = local.account()
    endpoint = endpoints.create(ada.id, url="https://hooks.example.com/", name="Ledger", types=None)
    (tmp_path / "node_modules").symlink_to(pinned.node_modules(Path(__file__).parent, "webhook-receivers"))
    guide = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text()
    shown = guide.split("```javascript\n")[1].split("```")[0].replace('from "standardwebhooks"', f'from "{library}"')
    (tmp_path / "receive.mjs").write_text(shown + _PROGRAM)
    body = '{"type":"key.created","data":{"name":"Ærø"}}'
    given = {"headers": _sign_now("evt_1", body.encode(), endpoint), "body": body}
    environment = os.environ | {"WEBHOOK_SECRET": signing.secret_of(endpoint), "GIVEN": json.dumps(given)}
    done = subprocess.run(
        ["node", tmp_path / "receive.mjs"], env=environment, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == ["taken", "WebhookVerificationError"]


_PROGRAM = """
const { headers, body } = JSON.parse(process.env.GIVEN);
const said = [];
for (const text of [body, body.replace("key", "kex")]) {
  try {
    receive(text, headers);
    said.push("taken");
  } catch (error) {
    said.push(error.constructor.name);
  }
}
console.log(JSON.stringify(said));
"""


def test_both_secrets_sign_during_overlap(local: TestApp, receiver: Receiver) -> None:
    """After a rotation messages are signed with both secrets for a day, so a receiver can switch in this time."""
    ada = local.account()
    first = endpoint_of(ada, receiver)
    old = signing.secret_of(first)
    second = endpoints.rotate_secret(first)
    new = signing.secret_of(second)
    assert old != new
    signatures = _sign_now("msg_1", b"{}", second)["webhook-signature"].split()
    assert len(signatures) == 2
    for secret in (old, new):
        standardwebhooks.Webhook(secret).verify(b"{}", _sign_now("msg_1", b"{}", second))
    local.clock.forward(86_400)
    assert len(_sign_now("msg_1", b"{}", reload(second))["webhook-signature"].split()) == 1
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(old).verify(b"{}", _sign_now("msg_1", b"{}", second))


def test_secrets_are_unique_and_not_stored(local: TestApp, receiver: Receiver) -> None:
    """Each secret is derived from the root key, the endpoint's id and a version, so secrets are unique and not
    stored.
    """
    ada = local.account()
    one, two = endpoint_of(ada, receiver), endpoint_of(ada, receiver)
    assert signing.secret_of(one) != signing.secret_of(two)
    assert signing.secret_of(one)[len(signing.PREFIX) :] not in str(reload(one).attribute_values)


def _sign_now(message_id: str, body: bytes, endpoint: Endpoint) -> dict[str, str]:
    return signing.headers(message_id, int(time.time()), body, signing.keys_of(endpoint))
