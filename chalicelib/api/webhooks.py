"""/v1/webhooks: endpoints to which the account's events are sent. A secret is shown once."""

from typing import TYPE_CHECKING, Any

from chalice.app import Response

from chalicelib.api import client_address, pagination, responses
from chalicelib.api.request_context import RequestContext
from chalicelib.api.schema.body import Body, Empty, optional, required
from chalicelib.api.schema.description import ResponseSpec, described
from chalicelib.api.webhook_shapes import (
    EVERY,
    NAME,
    SHOWN_ONCE,
    STATUS,
    TYPES,
    URL,
    WEBHOOK,
    WEBHOOK_ID,
    WEBHOOK_MADE,
    record,
    with_secret,
)
from chalicelib.core import errors
from chalicelib.webhooks import endpoints, states
from chalicelib.webhooks.states import DISABLED, ENABLED
from chalicelib.webhooks.tables import Endpoint

if TYPE_CHECKING:
    from chalicelib.webhooks.tables import Endpoint


class WebhooksQuery(pagination.PageQuery, ids="whk"):
    """The parameters of a list of webhooks."""


class NewWebhook(Body):
    """The fields of a new webhook."""

    url: str = required(URL)
    name: str = required(NAME)
    types: list[str] | None = optional(TYPES)


class WebhookChange(Body, least=1):
    """The fields of a webhook that can be changed."""

    url: str | None = optional(URL)
    name: str | None = optional(NAME)
    types: list[str] | None = optional(TYPES)
    status: str | None = optional(STATUS)


@described({200: pagination.page_of(WEBHOOK, "the account's webhooks, oldest first")})
def list_webhooks(context: RequestContext, query: WebhooksQuery) -> Response:
    """List the account's webhooks, oldest first."""
    page = pagination.page(context, query)
    found = list(endpoints.of_account(context.principal.account_id, after=page.after, limit=page.size + 1))
    return pagination.respond(context, page, found, record)


@described(
    {
        201: ResponseSpec(
            WEBHOOK_MADE, "The webhook is created. Its secret is shown once.", ("Location", "Cache-Control")
        )
    },
    errors=[errors.Conflict],
)
def create_webhook(context: RequestContext, body: NewWebhook) -> Response:
    """Create a webhook. It receives the events that happen from now on. If `types` is given, it receives only events of
    these types. An account can have ten webhooks.
    """

    def render(endpoint: Endpoint) -> Response:
        location = f"{client_address.base_url(context.request)}/v1/webhooks/{endpoint.id}"
        return responses.created(with_secret(endpoint), location)

    endpoint = endpoints.create(
        context.principal.account_id,
        url=body.url,
        name=body.name,
        types=_chosen(body.types),
        user_id=context.principal.user_id,
        once=context.recorded(render),
    )
    return render(endpoint)


@described({200: WEBHOOK}, path=WEBHOOK_ID)
def show_webhook(context: RequestContext, webhook_id: str) -> dict[str, Any]:
    """Show one webhook."""
    return record(_find_owned(context, webhook_id))


@described({200: WEBHOOK}, errors=[errors.Conflict], path=WEBHOOK_ID)
def change_webhook(context: RequestContext, webhook_id: str, body: WebhookChange) -> dict[str, Any]:
    """Change a webhook's URL, name or types; disable or enable it.

    A webhook that is enabled again receives only new events. Events from the time when it was disabled are never sent,
    but `GET /v1/events` lists them. Messages that were pending when it was disabled are no longer sent automatically,
    but can be resent from its log.
    """
    endpoint = _find_owned(context, webhook_id)
    if body.url or body.name or body.types:
        types = None if body.types is None else _chosen(body.types) or []
        endpoints.change(endpoint, url=body.url, name=body.name, types=types)
    if body.status == DISABLED:
        endpoints.disable(endpoint, states.BY_ACCOUNT)
    elif body.status == ENABLED:
        endpoints.enable(endpoint)
    return record(_find_owned(context, webhook_id))


@described({204: ResponseSpec(description="The webhook is deleted.")}, path=WEBHOOK_ID)
def delete_webhook(context: RequestContext, webhook_id: str) -> Response:
    """Delete a webhook and its pending messages."""
    endpoints.delete(_find_owned(context, webhook_id))
    return responses.no_content()


@described({200: SHOWN_ONCE}, errors=[errors.Conflict], path=WEBHOOK_ID)
def rotate_webhook(context: RequestContext, webhook_id: str, body: Empty) -> Response:
    """Rotate a webhook's secret. For 24 hours messages are also signed with the old secret."""

    def render(endpoint: Endpoint) -> Response:
        return Response(with_secret(endpoint), headers={"Cache-Control": "no-store"})

    return render(endpoints.rotate_secret(_find_owned(context, webhook_id), context.recorded(render)))


def _chosen(types: list[str] | None) -> list[str] | None:
    return None if types is None or EVERY in types else types


def _find_owned(context: RequestContext, webhook_id: str) -> Endpoint:
    return endpoints.find_owned(context.principal.account_id, webhook_id)
