"""The body of a message in the format of Standard Webhooks, byte for byte."""

import json

from chalicelib.core import clock
from chalicelib.events import record
from chalicelib.webhooks import fan_out, payload
from chalicelib.webhooks.tables import Endpoint
from tests.support.harness import TestApp
from tests.webhooks.told import happens


def test_message_contains_type_timestamp_and_event(latchkey: TestApp) -> None:
    """A message contains type, timestamp and event, as compact JSON with unescaped Unicode."""
    ada = latchkey.account()
    happens(latchkey, ada, "Zoë")
    latchkey.clock.forward(60)
    (event, *_) = record.newest_first(ada.id, 1)
    data = json.dumps(record.render(event), separators=(",", ":"), ensure_ascii=False)
    assert payload.of_event(event) == (
        f'{{"type":"account.renamed","timestamp":"{clock.iso(event.at)}","data":{data}}}'
    )
    assert "Zoë" in data


def test_stored_body_is_sent_unchanged(latchkey: TestApp) -> None:
    """A stored body is sent byte for byte with its whitespace, even if it has no data."""
    endpoint = Endpoint("acc_x", "whk_x", url="https://example.com/", name="x", created_at=0, enabled_at=0)
    for body in ('{"type": "x",  "data": {"type": "key.created", "actor": "key_x", "reason": null}}', '{"type":"x"}'):
        assert payload.body_of(fan_out.new_delivery(endpoint, "evt_x", "x", body, due_at=0)) == body


def test_test_message_contains_time_and_endpoint(latchkey: TestApp) -> None:
    """The test message contains the time and the endpoint, and says that it is a test."""
    assert json.loads(payload.of_test("whk_x", "evt_x")) == {
        "type": "webhook.test",
        "timestamp": "2021-12-20T10:00:00Z",
        "data": {"id": "evt_x", "type": "webhook.test", "changed": {"webhook": "whk_x"}},
    }
