"""Deliveries of /v1/webhooks: the log of each webhook, test messages, and resending a delivery."""

from typing import Any

from chalice.app import Response

from chalicelib.api import pagination
from chalicelib.api.request_context import RequestContext
from chalicelib.api.schema.body import Empty
from chalicelib.api.schema.description import described
from chalicelib.api.webhook_shapes import DELIVERY, DELIVERY_ID, WEBHOOK_ID, delivery_record
from chalicelib.core import errors
from chalicelib.limits.admission import admit
from chalicelib.limits.tiers import WEBHOOK_TESTS
from chalicelib.webhooks import deliver, endpoints, fan_out
from chalicelib.webhooks.tables import Endpoint


class DeliveriesQuery(pagination.PageQuery, ids="evt"):
    """The parameters of a list of deliveries."""


@described({200: DELIVERY}, errors=[errors.Conflict], path=WEBHOOK_ID)
def test_webhook(context: RequestContext, webhook_id: str, body: Empty) -> dict[str, Any]:
    """Send a message of the type `webhook.test` now, and return the result."""
    endpoint = _find_owned(context, webhook_id)
    admit_by_hand(context, endpoint.account_id)
    return delivery_record(deliver.send_test(endpoint))


@described({200: pagination.page_of(DELIVERY, "deliveries, newest first")}, path=WEBHOOK_ID)
def list_deliveries(context: RequestContext, webhook_id: str, query: DeliveriesQuery) -> Response:
    """List the deliveries of a webhook, newest first."""
    page, endpoint = pagination.page(context, query), _find_owned(context, webhook_id)
    found = list(fan_out.of_endpoint(endpoint.id, page.size + 1, before=page.after))
    return pagination.respond(context, page, found, delivery_record)


@described({200: DELIVERY}, path=DELIVERY_ID)
def show_delivery(context: RequestContext, webhook_id: str, message_id: str) -> dict[str, Any]:
    """Show one delivery: its body, and the result of each attempt."""
    return delivery_record(deliver.find_delivery(_find_owned(context, webhook_id), message_id))


@described({200: DELIVERY}, errors=[errors.Conflict], path=DELIVERY_ID)
def resend_delivery(context: RequestContext, webhook_id: str, message_id: str, body: Empty) -> dict[str, Any]:
    """Send a delivery again now, under the same id, and return the result."""
    endpoint = _find_owned(context, webhook_id)
    admit_by_hand(context, endpoint.account_id)
    return delivery_record(deliver.resend(endpoint, message_id))


def admit_by_hand(context: RequestContext, account_id: str) -> None:
    """Count a manually sent message on its account and on the networks of the caller. Raises Rejected when a limit is
    exceeded.
    """
    admit(f"{WEBHOOK_TESTS.name}_{account_id}", WEBHOOK_TESTS)
    context.admit_networks(WEBHOOK_TESTS)


def _find_owned(context: RequestContext, webhook_id: str) -> Endpoint:
    return endpoints.find_owned(context.principal.account_id, webhook_id)
