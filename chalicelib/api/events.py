"""/v1/events: the events of the caller's account, newest first."""

from chalice.app import Response

from chalicelib.api import pagination
from chalicelib.api.request_context import RequestContext
from chalicelib.api.schema.body import optional
from chalicelib.api.schema.description import described
from chalicelib.api.schema.fields import Enum, Id
from chalicelib.api.schema.shapes import Anything, DateTime, Nullable, Shape, String
from chalicelib.credentials.scopes import ADMIN
from chalicelib.events import kinds, record

TYPE = Enum(tuple(kinds.OF_ACCOUNT), description="The event type.")

EVENT = Shape(
    "Event",
    "A change of the account, its members, keys, applications or grants.",
    {
        "id": Id("evt", description="The event's id."),
        "type": TYPE,
        "created_at": DateTime("When it happened."),
        "actor": String(
            "The actor: the id of a key, token, session or application, or a word like `admin` or `operator`."
        ),
        "user_id": Nullable(
            Id("usr"), "The user whose key, token or session acted; null for others, and for the operator and admins."
        ),
        "source_ip": Nullable(String(), "The client address; null if no request of the account caused it."),
        "changed": Anything("The object and its new values, never a secret.", {"key": "key_0V5kqWn4Zr8TfYb2LcXd"}),
        "reason": Nullable(String(), "The reason. Reasons given by admins are shown to admins only."),
    },
)


class EventsQuery(pagination.PageQuery, ids="evt"):
    """The parameters of a list of events."""

    type: str | None = optional(TYPE)


@described({200: pagination.page_of(EVENT, "events, newest first")})
def list_events(context: RequestContext, query: EventsQuery) -> Response:
    """List events, newest first; `type` selects one event type.

    With `type`, a page may have fewer items than `limit`, or none. Continue while there is a `next_cursor`.
    """
    page, kind = pagination.page(context, query), query.type or ""
    found, end = record.read_page(context.principal.account_id, page.size + 1, before=page.after, kind=kind)
    render = record.render_unredacted if ADMIN in context.principal.scopes else record.render
    return pagination.respond(context, page, found, render, goes_on=end)
