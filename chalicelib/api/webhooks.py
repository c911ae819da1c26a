"""/v1/webhooks: where the account's events are sent, and what became of each. A secret is shown once."""

from typing import Any

from chalice.app import Blueprint, Response

from chalicelib.api import answers, listing, visitor
from chalicelib.api.edge import Exchange, route
from chalicelib.api.fields import OneOf, SomeOf, Text, read_body
from chalicelib.core import clock, errors, ids
from chalicelib.credentials.scopes import WEBHOOKS
from chalicelib.events import kinds
from chalicelib.webhooks import deliver, endpoints, fan_out, message, signing
from chalicelib.webhooks.tables import DISABLED, ENABLED, Attempt, Delivery, Endpoint

URL = Text(most=2_000)
NAME = Text(most=64)
TYPES = SomeOf(("*", *kinds.WORDS))
STATUS = OneOf((ENABLED, DISABLED))

blueprint = Blueprint(__name__)


@route(blueprint, "/v1/webhooks", methods=["GET"], scopes=[WEBHOOKS])
def list_webhooks(exchange: Exchange) -> Response:
    """List the account's webhooks, oldest first."""
    page = listing.asked_for(exchange, "whk")
    found = list(endpoints.of_account(exchange.verdict.account_id, after=page.after, limit=page.size + 1))
    return listing.answer(exchange, page, found, record)


@route(blueprint, "/v1/webhooks", methods=["POST"], scopes=[WEBHOOKS])
def create_webhook(exchange: Exchange) -> Response:
    """Add a webhook; its secret is in this answer and nowhere else."""
    body = read_body(exchange.request.raw_body, {"url": URL, "name": NAME}, {"types": TYPES})
    endpoint = endpoints.create(
        exchange.verdict.account_id, url=body["url"], name=body["name"], types=_chosen(body["types"])
    )
    location = f"{visitor.base_url(exchange.request)}/v1/webhooks/{endpoint.id}"
    return answers.created(with_secret(endpoint), location)


@route(blueprint, "/v1/webhooks/{webhook_id}", methods=["GET"], scopes=[WEBHOOKS])
def show_webhook(exchange: Exchange, webhook_id: str) -> dict[str, Any]:
    """Show one webhook."""
    return record(_owned(exchange, webhook_id))


@route(blueprint, "/v1/webhooks/{webhook_id}", methods=["PATCH"], scopes=[WEBHOOKS])
def change_webhook(exchange: Exchange, webhook_id: str) -> dict[str, Any]:
    """Change where a webhook leads, its name or types; disable or enable it."""
    body = read_body(exchange.request.raw_body, {}, {"url": URL, "name": NAME, "types": TYPES, "status": STATUS})
    if not any(body.values()):
        raise errors.InvalidRequest("Give url, name, types or status.")
    endpoint = _owned(exchange, webhook_id)
    if body["url"] or body["name"] or body["types"]:
        types = None if body["types"] is None else _chosen(body["types"]) or []
        endpoint = endpoints.change(endpoint, url=body["url"], name=body["name"], types=types)
    if body["status"] == DISABLED:
        endpoints.disable(endpoint, endpoints.BY_ACCOUNT)
    elif body["status"] == ENABLED:
        endpoints.enable(endpoint)
    return record(_owned(exchange, webhook_id))


@route(blueprint, "/v1/webhooks/{webhook_id}", methods=["DELETE"], scopes=[WEBHOOKS])
def delete_webhook(exchange: Exchange, webhook_id: str) -> Response:
    """Delete a webhook and drop what waits for it."""
    endpoints.delete(_owned(exchange, webhook_id))
    return answers.nothing()


@route(blueprint, "/v1/webhooks/{webhook_id}/rotate", methods=["POST"], scopes=[WEBHOOKS])
def rotate_webhook(exchange: Exchange, webhook_id: str) -> dict[str, Any]:
    """Give a webhook another secret; the old one signs beside it for 24 hours."""
    read_body(exchange.request.raw_body or b"{}", {}, {})
    return with_secret(endpoints.rotate_secret(_owned(exchange, webhook_id)))


@route(blueprint, "/v1/webhooks/{webhook_id}/test", methods=["POST"], scopes=[WEBHOOKS])
def test_webhook(exchange: Exchange, webhook_id: str) -> dict[str, Any]:
    """Send a message of the type webhook.test at once, and say what came of it."""
    read_body(exchange.request.raw_body or b"{}", {}, {})
    return delivery_record(send_test(_owned(exchange, webhook_id)))


@route(blueprint, "/v1/webhooks/{webhook_id}/deliveries", methods=["GET"], scopes=[WEBHOOKS])
def list_deliveries(exchange: Exchange, webhook_id: str) -> Response:
    """List what was, is or will be delivered to a webhook, the newest first."""
    endpoint = _owned(exchange, webhook_id)
    page = listing.asked_for(exchange, "evt")
    found = list(fan_out.of_endpoint(endpoint.id, page.size + 1, before=page.after))
    return listing.answer(exchange, page, found, delivery_record)


@route(blueprint, "/v1/webhooks/{webhook_id}/deliveries/{message_id}", methods=["GET"], scopes=[WEBHOOKS])
def show_delivery(exchange: Exchange, webhook_id: str, message_id: str) -> dict[str, Any]:
    """Show one delivery: what is sent, and what each attempt was answered."""
    return delivery_record(deliver.delivery_of(_owned(exchange, webhook_id), message_id))


@route(blueprint, "/v1/webhooks/{webhook_id}/deliveries/{message_id}/resend", methods=["POST"], scopes=[WEBHOOKS])
def resend_delivery(exchange: Exchange, webhook_id: str, message_id: str) -> dict[str, Any]:
    """Send a delivery again at once, under the same id, and say what came of it."""
    read_body(exchange.request.raw_body or b"{}", {}, {})
    return delivery_record(deliver.resend(_owned(exchange, webhook_id), message_id))


def send_test(endpoint: Endpoint) -> Delivery:
    """Send an endpoint a message that tells of nothing."""
    message_id = ids.new("evt")
    return deliver.send_test(endpoint, message.of_test(endpoint.id, message_id), message_id, message.TEST)


def record(endpoint: Endpoint) -> dict[str, Any]:
    """Return what its account sees of a webhook."""
    return {
        "id": endpoint.id,
        "name": endpoint.name,
        "url": endpoint.url,
        "types": ["*"] if endpoint.types is None else [kind for kind in kinds.WORDS if kind in endpoint.types],
        "status": endpoint.status,
        "disabled_because": endpoint.disabled_because,
        "created_at": clock.iso(endpoint.created_at),
        "failing_since": None if endpoint.failing_since is None else clock.iso(endpoint.failing_since),
    }


def with_secret(endpoint: Endpoint) -> dict[str, Any]:
    """Return a webhook and, this once, its secret."""
    return record(endpoint) | {"secret": signing.secret_of(endpoint)}


def delivery_record(delivery: Delivery) -> dict[str, Any]:
    """Return what its account sees of a delivery."""
    return {
        "id": delivery.id,
        "type": delivery.type,
        "state": delivery.state,
        "created_at": clock.iso(delivery.created_at),
        "next_attempt_at": None if delivery.due_at is None else clock.iso(delivery.due_at),
        "body": delivery.body,
        "attempts": [_attempt(attempt) for attempt in delivery.attempts],
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "at": clock.iso(attempt.at),
        "took_ms": attempt.took_ms,
        "status": attempt.status,
        "answer": attempt.answer,
        "problem": attempt.problem,
    }


def _chosen(types: list[str] | None) -> list[str] | None:
    return None if types is None or "*" in types else types


def _owned(exchange: Exchange, webhook_id: str) -> Endpoint:
    return endpoints.owned(exchange.verdict.account_id, webhook_id)
