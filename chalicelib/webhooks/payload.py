"""What is sent of an event: the same text at every attempt, in the form that Standard Webhooks proposes."""

import json
from typing import Any

from chalicelib.core import clock
from chalicelib.events import record
from chalicelib.events.tables import Event
from chalicelib.webhooks.states import TEST
from chalicelib.webhooks.tables import Delivery


def of_event(event: Event) -> str:
    """Return the message that tells of an event; its data is what GET /v1/events shows."""
    return _message(event.type, event.at, record.shown(event))


def body_of(delivery: Delivery) -> str:
    """Return the text of a delivery. Of one that was stored with what is for administrators only, that is left out."""
    whole = json.loads(delivery.body)
    data = whole.get("data", {})
    told = record.redacted(data)
    return delivery.body if told == data else _written({**whole, "data": told})


def of_test(endpoint_id: str, message_id: str) -> str:
    """Return a message that tells of nothing."""
    now_ms = clock.now_ms()
    return _message(TEST, now_ms, {"id": message_id, "type": TEST, "changed": {"webhook": endpoint_id}})


def _message(kind: str, at_ms: int, data: dict[str, Any]) -> str:
    return _written({"type": kind, "timestamp": clock.iso(at_ms), "data": data})


def _written(told: dict[str, Any]) -> str:
    return json.dumps(told, separators=(",", ":"), ensure_ascii=False)
