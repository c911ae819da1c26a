"""The status of the service for programs and feed readers: /status.json and /status.rss.

The routes are public. They aren't rate limited, because counting a request writes to the database, and the routes must
work while the database is down.
"""

from typing import Any

from chalice.app import Response

from chalicelib.api import client_address
from chalicelib.api.request_context import RequestContext
from chalicelib.api.schema.description import ResponseSpec, described
from chalicelib.api.schema.fields import Enum, Id
from chalicelib.api.schema.shapes import DateTime, Kind, ListOf, Nullable, Number, Shape, String, StringList
from chalicelib.core import clock
from chalicelib.uptime import states
from chalicelib.uptime.report import report

ATOM = "http://www.w3.org/2005/Atom"

_STATE = Enum(states.COMPONENT_STATES, description="The state; unknown: not checked.")
DAY = Shape(
    "StatusDay",
    "One day of a component.",
    {
        "day": String("The date in UTC.", "2026-01-31"),
        "state": _STATE,
        "minutes_checked": Number("Minutes with a check."),
        "minutes_degraded": Number("Minutes in which it was slow or late."),
        "minutes_down": Number("Minutes in which it was down."),
    },
)
COMPONENT = Shape(
    "StatusComponent",
    "A component of the service.",
    {
        "id": Enum(states.COMPONENTS, description="The component's id."),
        "name": String("The component's name.", "API"),
        "state": _STATE,
        "uptime_percent": Nullable(String(), "The share of 90 days in which it was not down; null: unknown."),
        "days": ListOf(DAY, "90 days, oldest first."),
    },
)
INCIDENT = Shape(
    "Incident",
    "An incident that the operator reported.",
    {
        "id": Id("inc", description="The incident's id."),
        "title": String("The title."),
        "components": StringList("Affected components.", states.COMPONENTS),
        "opened_at": DateTime("When it was opened."),
        "closed_at": Nullable(DateTime(), "When it was closed; null: open."),
        "updates": ListOf(
            Shape(
                "IncidentUpdate",
                "An update.",
                {
                    "at": DateTime("When it was posted."),
                    "state": Enum(states.INCIDENT_STATES, description="The state of the incident."),
                    "text": String("The text."),
                },
            ),
            "Oldest first.",
        ),
    },
)
_STATUS: dict[str, Kind] = {
    "state": Enum(
        states.OVERALL_STATES,
        description="The worst component's state; partly_checked: all checked ones are up, others aren't checked; "
        "unknown: none is checked.",
    ),
    "checked_at": Nullable(DateTime(), "When it was last checked; null: never."),
    "history": Enum(("read", "unreadable"), description="Whether the history could be read."),
    "components": ListOf(COMPONENT, "Every component."),
    "incidents": ListOf(INCIDENT, "Newest first."),
}
STATUS = Shape("Status", "The state of the service and its history.", _STATUS)
CACHED = {"Cache-Control": "public, max-age=30"}


@described({200: ResponseSpec(STATUS, headers=("Cache-Control",))})
def show_status(context: RequestContext) -> Response:
    """Show the state of the service, its last 90 days and its incidents. Works while the database is down."""
    current = report()
    body = {
        "state": current.state,
        "checked_at": None if current.checked_at_ms is None else clock.iso(current.checked_at_ms),
        "history": "read" if current.is_readable else "unreadable",
        "components": [_component(each) for each in current.components],
        "incidents": [_incident(each) for each in current.incidents],
    }
    return Response(body, headers={"Content-Type": "application/json", **CACHED})


@described({200: ResponseSpec(String("RSS 2.0."), "A feed.", ("Cache-Control",), media_type="application/rss+xml")})
def feed_status(context: RequestContext) -> Response:
    """Return the incidents as RSS 2.0, one item per update."""
    return Response(
        _feed(report().incidents, client_address.base_url(context.request)),
        headers={"Content-Type": "application/rss+xml; charset=utf-8", **CACHED},
    )


def _component(component: Any) -> dict[str, Any]:
    return {
        "id": component.id,
        "name": component.name,
        "state": component.state,
        "uptime_percent": None if component.uptime_percent is None else f"{component.uptime_percent:g}",
        "days": [
            {
                "day": day.day,
                "state": day.state,
                "minutes_checked": day.checked,
                "minutes_degraded": day.degraded,
                "minutes_down": day.down,
            }
            for day in component.days
        ],
    }


def _incident(incident: Any) -> dict[str, Any]:
    return {
        "id": incident.at,
        "title": incident.title,
        "components": [name for name in states.COMPONENTS if name in (incident.components or ())],
        "opened_at": clock.iso(incident.opened_at),
        "closed_at": None if incident.closed_at is None else clock.iso(incident.closed_at),
        "updates": [{"at": clock.iso(each.at), "state": each.state, "text": each.text} for each in incident.updates],
    }


def _feed(incidents: Any, base_url: str) -> str:
    """Return an RSS 2.0 feed with an Atom link to itself (RFC 4287 §4.2.7.2), as the RSS Advisory Board recommends."""
    from xml.etree import ElementTree

    ElementTree.register_namespace("atom", ATOM)
    root = ElementTree.Element("rss", version="2.0")
    channel = ElementTree.SubElement(root, "channel")
    for name, text in (
        ("title", "Status"),
        ("link", f"{base_url}/status"),
        ("description", "Incidents"),
        ("language", "en"),
    ):
        ElementTree.SubElement(channel, name).text = text
    own = {"href": f"{base_url}/status.rss", "rel": "self", "type": "application/rss+xml"}
    ElementTree.SubElement(channel, f"{{{ATOM}}}link", own)
    updates = [
        (update, f"{incident.at}.{number}", f"{incident.title}: {update.state}")
        for incident in incidents
        for number, update in reversed(list(enumerate(incident.updates)))
    ]
    if updates:
        ElementTree.SubElement(channel, "lastBuildDate").text = clock.rfc822(max(each.at for each, _, _ in updates))
    for update, guid, title in updates:
        item = ElementTree.SubElement(channel, "item")
        ElementTree.SubElement(item, "title").text = title
        ElementTree.SubElement(item, "description").text = update.text
        ElementTree.SubElement(item, "link").text = f"{base_url}/status"
        ElementTree.SubElement(item, "guid", isPermaLink="false").text = guid
        ElementTree.SubElement(item, "pubDate").text = clock.rfc822(update.at)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode")
