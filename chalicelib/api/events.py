"""/v1/events: what happened to the caller's account, the newest first."""

from chalice.app import Blueprint, Response

from chalicelib.api import listing
from chalicelib.api.edge import Exchange, route
from chalicelib.api.fields import OneOf
from chalicelib.credentials.scopes import EVENTS
from chalicelib.events import kinds, record

TYPE = OneOf(tuple(kinds.WORDS))

blueprint = Blueprint(__name__)


@route(blueprint, "/v1/events", methods=["GET"], scopes=[EVENTS])
def list_events(exchange: Exchange) -> Response:
    """List what happened, the newest first; `type` chooses one type of event."""
    page = listing.asked_for(exchange, "evt", "type")
    kind = TYPE.check("type", page.chosen_by["type"]) if page.chosen_by else ""
    found = list(record.newest_first(exchange.verdict.account_id, page.size + 1, before=page.after, kind=kind))
    return listing.answer(exchange, page, found, record.shown)
