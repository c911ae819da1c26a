"""/v1/events: what happened to the caller's account, the newest first."""

from chalice.app import Blueprint, Response

from chalicelib.api import pagination
from chalicelib.api.fields import Enum, Id
from chalicelib.api.request_context import Exchange
from chalicelib.api.routing import route
from chalicelib.api.shapes import Anything, DateTime, Nullable, Shape, String
from chalicelib.credentials.scopes import ADMIN, EVENTS
from chalicelib.events import kinds

TYPE = Enum(tuple(kinds.WORDS), about="What happened.")

EVENT = Shape(
    "Event",
    "Something that happened to the account, its keys, applications or grants.",
    {
        "id": Id("evt", about="The event's id."),
        "type": TYPE,
        "created_at": DateTime("When it happened."),
        "actor": String(
            "Who did it: the id of a key, a token, a session or an application, or a word like `admin` or `operator`."
        ),
        "source_ip": Nullable(String(), "From where; null when no request of the account asked for it."),
        "changed": Anything(
            "What it was done to and what it is now, never a secret.", {"key": "key_0V5kqWn4Zr8TfYb2LcXd"}
        ),
        "reason": Nullable(String(), "Why. Only administrators are shown the reasons that administrators give."),
    },
)

blueprint = Blueprint(__name__)


@route(
    blueprint,
    "/v1/events",
    methods=["GET"],
    scopes=[EVENTS],
    query=pagination.pages("evt", {"type": TYPE}),
    gives={200: pagination.page_of(EVENT, "what happened, the newest first")},
)
def list_events(exchange: Exchange) -> Response:
    """List what happened, the newest first; `type` chooses one type of event.

    Of one type a page may hold fewer than `limit`, even none, while there are more: go on while there is a
    `next_cursor`.
    """
    from chalicelib.events import record

    page, kind = pagination.asked_for(exchange), exchange.query["type"] or ""
    found, end = record.look_back(exchange.principal.account_id, page.size + 1, before=page.after, kind=kind)
    shown = record.shown_whole if ADMIN in exchange.principal.scopes else record.shown
    return pagination.answer(exchange, page, found, shown, goes_on=end)
