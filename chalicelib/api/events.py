"""/v1/events: what happened to the caller's account, the newest first."""

from chalice.app import Response

from chalicelib.api import pagination
from chalicelib.api.request_context import RequestContext
from chalicelib.api.schema.body import optional
from chalicelib.api.schema.description import described
from chalicelib.api.schema.fields import Enum, Id
from chalicelib.api.schema.shapes import Anything, DateTime, Nullable, Shape, String
from chalicelib.credentials.scopes import ADMIN
from chalicelib.events import kinds, record

TYPE = Enum(tuple(kinds.WORDS), description="What happened.")

EVENT = Shape(
    "Event",
    "Something that happened to the account, its keys, applications or grants.",
    {
        "id": Id("evt", description="The event's id."),
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


class EventsQuery(pagination.PageQuery, ids="evt"):
    """Which events to list."""

    type: str | None = optional(TYPE)


@described({200: pagination.page_of(EVENT, "what happened, the newest first")})
def list_events(context: RequestContext, query: EventsQuery) -> Response:
    """List what happened, the newest first; `type` chooses one type of event.

    Of one type a page may hold fewer than `limit`, even none, while there are more: go on while there is a
    `next_cursor`.
    """
    page, kind = pagination.page(context, query), query.type or ""
    found, end = record.look_back(context.principal.account_id, page.size + 1, before=page.after, kind=kind)
    shown = record.shown_whole if ADMIN in context.principal.scopes else record.shown
    return pagination.respond(context, page, found, shown, goes_on=end)
