"""Build the body of a webhook message in the Standard Webhooks format. The body is identical at every attempt."""

import json
from typing import Any

from chalicelib.core import clock
from chalicelib.events import record
from chalicelib.events.tables import Event
from chalicelib.webhooks.states import TEST
from chalicelib.webhooks.tables import Delivery


def of_event(event: Event) -> str:
    """Return the message for an event. Its data is the event as GET /v1/events returns it."""
    return _message(event.type, event.at, record.render(event))


def body_of(delivery: Delivery) -> str:
    """Return the body of a delivery.

    Deliveries that older versions stored may contain fields that only administrators may see. These fields are removed.
    """
    message = json.loads(delivery.body)
    data = message.get("data", {})
    shared = record.redacted(data)
    return delivery.body if shared == data else _to_json({**message, "data": shared})


def of_test(endpoint_id: str, message_id: str) -> str:
    """Return the body of a test message. No event is recorded for it."""
    now_ms = clock.now_ms()
    return _message(TEST, now_ms, {"id": message_id, "type": TEST, "changed": {"webhook": endpoint_id}})


def _message(kind: str, at_ms: int, data: dict[str, Any]) -> str:
    return _to_json({"type": kind, "timestamp": clock.iso(at_ms), "data": data})


def _to_json(content: dict[str, Any]) -> str:
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False)
