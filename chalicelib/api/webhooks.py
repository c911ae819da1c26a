"""/v1/webhooks: where the account's events are sent, and what became of each. A secret is shown once."""

from typing import TYPE_CHECKING, Any

from chalice.app import Blueprint, Response

from chalicelib.api import client_address, pagination, responses
from chalicelib.api.declared import CLAIMED, RECORDED, Answer, Body
from chalicelib.api.request_context import Exchange
from chalicelib.api.routing import route
from chalicelib.api.webhook_shapes import (
    DELIVERY,
    DELIVERY_ID,
    EVERY,
    NAME,
    SHOWN_ONCE,
    STATUS,
    TYPES,
    URL,
    WEBHOOK,
    WEBHOOK_ID,
    WEBHOOK_MADE,
    delivery_record,
    record,
    with_secret,
)
from chalicelib.core import errors
from chalicelib.credentials.scopes import WEBHOOKS
from chalicelib.limits.admission import admit
from chalicelib.limits.tiers import WEBHOOK_TESTS
from chalicelib.webhooks import states
from chalicelib.webhooks.states import DISABLED, ENABLED

if TYPE_CHECKING:
    from chalicelib.webhooks.tables import Endpoint

blueprint = Blueprint(__name__)


@route(
    blueprint,
    "/v1/webhooks",
    methods=["GET"],
    scopes=[WEBHOOKS],
    query=pagination.pages("whk"),
    gives={200: pagination.page_of(WEBHOOK, "the account's webhooks, oldest first")},
)
def list_webhooks(exchange: Exchange) -> Response:
    """List the account's webhooks, oldest first."""
    from chalicelib.webhooks import endpoints

    page = pagination.asked_for(exchange)
    found = list(endpoints.of_account(exchange.principal.account_id, after=page.after, limit=page.size + 1))
    return pagination.answer(exchange, page, found, record)


@route(
    blueprint,
    "/v1/webhooks",
    methods=["POST"],
    scopes=[WEBHOOKS],
    body=Body({"url": URL, "name": NAME}, {"types": TYPES}),
    gives={201: Answer(WEBHOOK_MADE, "It is added. Its secret is shown this once.", ("Location", "Cache-Control"))},
    refuses=[errors.Conflict],
    idempotency=RECORDED,
)
def create_webhook(exchange: Exchange) -> Response:
    """Add a webhook: from now on it is told of events, of all types unless `types` chooses some. At most ten."""
    from chalicelib.webhooks import endpoints

    def shown(endpoint: "Endpoint") -> Response:
        location = f"{client_address.base_url(exchange.request)}/v1/webhooks/{endpoint.id}"
        return responses.created(with_secret(endpoint), location)

    body = exchange.body
    endpoint = endpoints.create(
        exchange.principal.account_id,
        url=body["url"],
        name=body["name"],
        types=_chosen(body["types"]),
        once=exchange.recorded(shown),
    )
    return shown(endpoint)


@route(blueprint, "/v1/webhooks/{webhook_id}", methods=["GET"], scopes=[WEBHOOKS], ids=WEBHOOK_ID, gives={200: WEBHOOK})
def show_webhook(exchange: Exchange, webhook_id: str) -> dict[str, Any]:
    """Show one webhook."""
    return record(_owned(exchange, webhook_id))


@route(
    blueprint,
    "/v1/webhooks/{webhook_id}",
    methods=["PATCH"],
    scopes=[WEBHOOKS],
    ids=WEBHOOK_ID,
    body=Body(optional={"url": URL, "name": NAME, "types": TYPES, "status": STATUS}, least=1),
    gives={200: WEBHOOK},
    refuses=[errors.Conflict],
)
def change_webhook(exchange: Exchange, webhook_id: str) -> dict[str, Any]:
    """Change where a webhook leads, its name or its types; disable or enable it.

    Enabled again, it is told of what happens from then on. What happened while it was disabled is never sent to it: see
    `GET /v1/events`. What waited when it was disabled isn't sent by itself any more, but can be resent from its log.
    """
    from chalicelib.webhooks import endpoints

    body, endpoint = exchange.body, _owned(exchange, webhook_id)
    if body["url"] or body["name"] or body["types"]:
        types = None if body["types"] is None else _chosen(body["types"]) or []
        endpoints.change(endpoint, url=body["url"], name=body["name"], types=types)
    if body["status"] == DISABLED:
        endpoints.disable(endpoint, states.BY_ACCOUNT)
    elif body["status"] == ENABLED:
        endpoints.enable(endpoint)
    return record(_owned(exchange, webhook_id))


@route(
    blueprint,
    "/v1/webhooks/{webhook_id}",
    methods=["DELETE"],
    scopes=[WEBHOOKS],
    ids=WEBHOOK_ID,
    gives={204: Answer(about="The webhook is deleted.")},
)
def delete_webhook(exchange: Exchange, webhook_id: str) -> Response:
    """Delete a webhook and drop what waits for it."""
    from chalicelib.webhooks import endpoints

    endpoints.delete(_owned(exchange, webhook_id))
    return responses.nothing()


@route(
    blueprint,
    "/v1/webhooks/{webhook_id}/rotate",
    methods=["POST"],
    scopes=[WEBHOOKS],
    ids=WEBHOOK_ID,
    body=Body(may_be_empty=True),
    gives={200: SHOWN_ONCE},
    refuses=[errors.Conflict],
    idempotency=RECORDED,
)
def rotate_webhook(exchange: Exchange, webhook_id: str) -> Response:
    """Give a webhook another secret; the old one signs beside it for 24 hours."""
    from chalicelib.webhooks import endpoints

    def shown(endpoint: "Endpoint") -> Response:
        return Response(with_secret(endpoint), headers={"Cache-Control": "no-store"})

    return shown(endpoints.rotate_secret(_owned(exchange, webhook_id), exchange.recorded(shown)))


@route(
    blueprint,
    "/v1/webhooks/{webhook_id}/test",
    methods=["POST"],
    scopes=[WEBHOOKS],
    ids=WEBHOOK_ID,
    body=Body(may_be_empty=True),
    gives={200: DELIVERY},
    refuses=[errors.Conflict],
    idempotency=CLAIMED,
)
def test_webhook(exchange: Exchange, webhook_id: str) -> dict[str, Any]:
    """Send a message of the type `webhook.test` at once, and say what came of it."""
    from chalicelib.webhooks import deliver

    endpoint = _owned(exchange, webhook_id)
    admit_by_hand(exchange, endpoint.account_id)
    return delivery_record(deliver.send_test(endpoint))


@route(
    blueprint,
    "/v1/webhooks/{webhook_id}/deliveries",
    methods=["GET"],
    scopes=[WEBHOOKS],
    ids=WEBHOOK_ID,
    query=pagination.pages("evt"),
    gives={200: pagination.page_of(DELIVERY, "what was, is or will be delivered, the newest first")},
)
def list_deliveries(exchange: Exchange, webhook_id: str) -> Response:
    """List what was, is or will be delivered to a webhook, the newest first."""
    from chalicelib.webhooks import fan_out

    page, endpoint = pagination.asked_for(exchange), _owned(exchange, webhook_id)
    found = list(fan_out.of_endpoint(endpoint.id, page.size + 1, before=page.after))
    return pagination.answer(exchange, page, found, delivery_record)


@route(
    blueprint,
    "/v1/webhooks/{webhook_id}/deliveries/{message_id}",
    methods=["GET"],
    scopes=[WEBHOOKS],
    ids=DELIVERY_ID,
    gives={200: DELIVERY},
)
def show_delivery(exchange: Exchange, webhook_id: str, message_id: str) -> dict[str, Any]:
    """Show one delivery: what is sent, and what each attempt was answered."""
    from chalicelib.webhooks import deliver

    return delivery_record(deliver.delivery_of(_owned(exchange, webhook_id), message_id))


@route(
    blueprint,
    "/v1/webhooks/{webhook_id}/deliveries/{message_id}/resend",
    methods=["POST"],
    scopes=[WEBHOOKS],
    ids=DELIVERY_ID,
    body=Body(may_be_empty=True),
    gives={200: DELIVERY},
    refuses=[errors.Conflict],
    idempotency=CLAIMED,
)
def resend_delivery(exchange: Exchange, webhook_id: str, message_id: str) -> dict[str, Any]:
    """Send a delivery again at once, under the same id, and say what came of it."""
    from chalicelib.webhooks import deliver

    endpoint = _owned(exchange, webhook_id)
    admit_by_hand(exchange, endpoint.account_id)
    return delivery_record(deliver.resend(endpoint, message_id))


def admit_by_hand(exchange: Exchange, account_id: str) -> None:
    """Count a message that is sent by hand on its account and on where it is asked for; raise Refused beyond that."""
    admit(f"{WEBHOOK_TESTS.name}_{account_id}", WEBHOOK_TESTS)
    exchange.admit_networks(WEBHOOK_TESTS)


def _chosen(types: list[str] | None) -> list[str] | None:
    return None if types is None or EVERY in types else types


def _owned(exchange: Exchange, webhook_id: str) -> "Endpoint":
    from chalicelib.webhooks import endpoints

    return endpoints.owned(exchange.principal.account_id, webhook_id)
