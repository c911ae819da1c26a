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
URL = Text(max_length=2_000, description="Where messages are sent: an https URL.", example="https://example.com/hooks")
NAME = Text(max_length=64, description="What it is called, for people to tell webhooks apart.", example="Ledger")
TYPES = EnumList(
    (EVERY, *kinds.WORDS), description="Which types of event it is told of; `*`: all.", example=(kinds.KEY_CREATED,)
)
STATUS = Enum((ENABLED, DISABLED), description="Whether anything is sent to it.")
WEBHOOK_ID = {"webhook_id": Id("whk", description="The webhook's id.")}
DELIVERY_ID = {**WEBHOOK_ID, "message_id": Id("evt", description="The id of the message, which is that of its event.")}
_ABOUT: dict[str, Kind] = {
    "id": WEBHOOK_ID["webhook_id"],
    "name": String("What it is called.", "Ledger"),
    "url": String("Where messages are sent.", "https://example.com/hooks"),
    "types": StringList("Which types of event it is told of.", (EVERY, *kinds.WORDS), (EVERY,)),
    "status": STATUS,
    "disabled_because": Nullable(
        Enum((states.BY_ACCOUNT, states.GONE, states.FAILING)),
        "Why nothing is sent: the account chose so, it answered 410, or it failed for a day.",
    ),
    "created_at": DateTime("When it was added."),
    "failing_since": Nullable(DateTime(), "Since when every attempt has failed; null: the last one arrived."),
}
WEBHOOK = Shape("Webhook", "Where events of the account are sent.", _ABOUT)
WEBHOOK_MADE = Shape(
    "WebhookMade",
    "A webhook with its secret, which is in this answer and nowhere else.",
    {**_ABOUT, "secret": String("What to verify messages with. Store it now: it is shown once.")},
)
ATTEMPT = Shape(
    "Attempt",
    "One attempt to deliver a message.",
    {
        "at": DateTime("When it was made."),
        "took_ms": Number("How long it took, in milliseconds.", 120),
        "status": Nullable(Number(), "What was answered; null: nothing."),
        "answer": Nullable(String(), "How the answer's body begins."),
        "problem": Nullable(String(), "What was wrong; null: nothing."),
    },
)
DELIVERY = Shape(
    "Delivery",
    "A message on its way to a webhook.",
    {
        "id": Id("evt", description="The id of the message, which is that of its event."),
        "type": Enum((states.TEST, *kinds.WORDS), description="What it tells of."),
        "state": Enum((PENDING, DELIVERED, FAILED), description="Whether it waits, has arrived, or was given up."),
        "created_at": DateTime("When it was put on its way."),
        "next_attempt_at": Nullable(DateTime(), "When it is tried next; null: it isn't."),
        "body": String("What is sent, the same at every attempt."),
        "attempts": ListOf(ATTEMPT, "What came of each attempt so far, of the last twenty."),
    },
)
SHOWN_ONCE = ResponseSpec(WEBHOOK_MADE, "The secret is shown this once.", ("Cache-Control",))


def record(endpoint: "Endpoint") -> dict[str, Any]:
    """Return what its account sees of a webhook."""
    return {
        "id": endpoint.id,
        "name": endpoint.name,
        "url": endpoint.url,
        "types": [EVERY] if endpoint.types is None else [kind for kind in kinds.WORDS if kind in endpoint.types],
        "status": endpoint.status,
        "disabled_because": endpoint.disabled_because,
        "created_at": clock.iso(endpoint.created_at),
        "failing_since": None if endpoint.failing_since is None else clock.iso(endpoint.failing_since),
    }


def with_secret(endpoint: "Endpoint") -> dict[str, Any]:
    """Return a webhook and, this once, its secret."""
    from chalicelib.webhooks import signing

    return record(endpoint) | {"secret": signing.secret_of(endpoint)}


def delivery_record(delivery: "Delivery") -> dict[str, Any]:
    """Return what its account sees of a delivery."""
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
