"""The fields of webhooks and deliveries in requests and responses of `/v1/webhooks`."""

from typing import TYPE_CHECKING, Any

from chalicelib.api.schema.description import ResponseSpec
from chalicelib.api.schema.fields import Enum, EnumList, Id, Text
from chalicelib.api.schema.shapes import DateTime, Kind, ListOf, Nullable, Number, Shape, String, StringList
from chalicelib.core import clock
from chalicelib.events import kinds
from chalicelib.webhooks import states
from chalicelib.webhooks.states import DELIVERED, DISABLED, ENABLED, FAILED, PENDING

if TYPE_CHECKING:
    from chalicelib.webhooks.tables import Attempt, Delivery, Endpoint

EVERY = "*"
URL = Text(
    max_length=2_000, description="The https URL that messages are sent to.", example="https://example.com/hooks"
)
NAME = Text(max_length=64, description="A name to recognise the webhook by.", example="Ledger")
TYPES = EnumList(
    (EVERY, *kinds.OF_ACCOUNT), description="Event types to receive; `*`: all.", example=(kinds.KEY_CREATED,)
)
STATUS = Enum((ENABLED, DISABLED), description="Whether messages are sent.")
WEBHOOK_ID = {"webhook_id": Id("whk", description="The webhook's id.")}
DELIVERY_ID = {
    **WEBHOOK_ID,
    "message_id": Id("evt", description="The id of the message, which is the id of its event."),
}
_ABOUT: dict[str, Kind] = {
    "id": WEBHOOK_ID["webhook_id"],
    "name": String("The webhook's name.", "Ledger"),
    "url": String("The URL that messages are sent to.", "https://example.com/hooks"),
    "types": StringList("Event types that it receives.", (EVERY, *kinds.OF_ACCOUNT), (EVERY,)),
    "status": STATUS,
    "disabled_because": Nullable(
        Enum((states.BY_ACCOUNT, states.GONE, states.FAILING)),
        "Why it is disabled: by the account, by a 410 response, or after a day of failures.",
    ),
    "created_at": DateTime("When it was created."),
    "failing_since": Nullable(DateTime(), "Since when every attempt has failed; null: the last one succeeded."),
}
WEBHOOK = Shape("Webhook", "An endpoint that the account's events are sent to.", _ABOUT)
WEBHOOK_MADE = Shape(
    "WebhookMade",
    "A webhook with its secret, which is shown once.",
    {**_ABOUT, "secret": String("The secret to verify messages with. Store it now: it is shown once.")},
)
ATTEMPT = Shape(
    "Attempt",
    "One attempt to deliver a message.",
    {
        "at": DateTime("When it was made."),
        "took_ms": Number("Duration in milliseconds.", 120),
        "status": Nullable(Number(), "The response status; null: no response."),
        "answer": Nullable(String(), "The beginning of the response body."),
        "problem": Nullable(String(), "The problem; null: none."),
    },
)
DELIVERY = Shape(
    "Delivery",
    "A message to a webhook.",
    {
        "id": Id("evt", description="The id of the message, which is the id of its event."),
        "type": Enum((states.TEST, *kinds.OF_ACCOUNT), description="The event type."),
        "state": Enum((PENDING, DELIVERED, FAILED), description="Pending, delivered or failed."),
        "created_at": DateTime("When it was queued."),
        "next_attempt_at": Nullable(DateTime(), "When the next attempt is due; null: none."),
        "body": String("The request body, the same in every attempt."),
        "attempts": ListOf(ATTEMPT, "The last twenty attempts."),
    },
)
SHOWN_ONCE = ResponseSpec(WEBHOOK_MADE, "The secret is shown once.", ("Cache-Control",))


def record(endpoint: "Endpoint") -> dict[str, Any]:
    """Return a webhook as JSON."""
    return {
        "id": endpoint.id,
        "name": endpoint.name,
        "url": endpoint.url,
        "types": [EVERY] if endpoint.types is None else [kind for kind in kinds.OF_ACCOUNT if kind in endpoint.types],
        "status": endpoint.status,
        "disabled_because": endpoint.disabled_because,
        "created_at": clock.iso(endpoint.created_at),
        "failing_since": None if endpoint.failing_since is None else clock.iso(endpoint.failing_since),
    }


def with_secret(endpoint: "Endpoint") -> dict[str, Any]:
    """Return a webhook with its secret."""
    from chalicelib.webhooks import signing

    return record(endpoint) | {"secret": signing.secret_of(endpoint)}


def delivery_record(delivery: "Delivery") -> dict[str, Any]:
    """Return a delivery as JSON."""
    from chalicelib.webhooks import payload

    return {
        "id": delivery.id,
        "type": delivery.type,
        "state": delivery.state,
        "created_at": clock.iso(delivery.created_at),
        "next_attempt_at": None if delivery.due_at is None else clock.iso(delivery.due_at),
        "body": payload.body_of(delivery),
        "attempts": [_attempt(attempt) for attempt in delivery.attempts],
    }


def _attempt(attempt: "Attempt") -> dict[str, Any]:
    return {
        "at": clock.iso(attempt.at),
        "took_ms": attempt.took_ms,
        "status": attempt.status,
        "answer": attempt.answer,
        "problem": attempt.problem,
    }
