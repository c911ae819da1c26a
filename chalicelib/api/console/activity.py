"""Settings > Activity: what happened to the account, by whom and from where, the newest first.

What an administrator did is shown without their address and reason, except to administrators.
"""

from dataclasses import dataclass

from chalicelib.api.console.outcomes import Render
from chalicelib.api.console.page_request import PageRequest
from chalicelib.core import ids, settings
from chalicelib.credentials import find
from chalicelib.events import actors, kinds, notable, record
from chalicelib.events.tables import Event
from chalicelib.pages import labels

SHOWN = 50
RENAMED = (kinds.ACCOUNT_RENAMED, kinds.KEY_RENAMED)
LEFT_OUT = ("session", "grant")
"""What of an event isn't shown: who acted and which application it was say it better than these ids."""

_BECAUSE = {"gone": "it answered 410", "failing": "it failed for a day"}
_PUBLIC = {"yes": "anybody could read it", "no": "not everybody could read it"}
_ACTED = {"told": "nothing was changed", "narrowed": "narrowed to reading", "revoked": "revoked"}


@dataclass(frozen=True, slots=True)
class Row:
    """An event as the list shows it."""

    at: int
    id: str
    what: str
    details: list[str]
    actor: str
    source_ip: str | None
    reason: str | None


def show_activity(request: PageRequest) -> Render:
    """Show a page of events, and a way to older ones."""
    account, before = request.person.account, request.query.get("before", "")
    # What is no id of an event is the first page: a link that was cut needs no error.
    before = before if ids.is_id(before, "evt") else ""
    found = record.newest_first(account.id, SHOWN + 1, before=before)
    named = {key.id: key.name for key in find.keys_of(account.id)} | {request.person.session.id: "You (this browser)"}
    rows = [row(event, named, whole=account.admin) for event in found[:SHOWN]]
    older = rows[-1].id if len(found) > SHOWN else None
    return Render(
        "activity",
        {
            "rows": rows,
            "older": older,
            "before": before,
            "kept_days": settings.current().events_kept_days,
        },
    )


def row(event: Event, named: dict[str, str], *, whole: bool) -> Row:
    """Return an event as the list shows it: `whole` to administrators, else as its account may see it."""
    told = record.shown_whole(event) if whole else record.shown(event)
    return Row(
        event.at,
        event.id,
        kinds.WORDS.get(event.type, event.type),
        _details(event, named),
        named.get(told["actor"]) or _who(told["actor"]),
        told["source_ip"],
        told["reason"],
    )


def _details(event: Event, named: dict[str, str]) -> list[str]:
    """Return what changed, as a person says it: a key by its name, as far as the account still has it."""
    changed: dict[str, str] = event.changed.as_dict()
    key = changed.get("key", "")
    name = changed.get("name")
    details = {
        "key": named.get(key, name or key),
        "token": f"access token {changed.get('token')}" + (f" of {name}" if name else ""),
        "name": f"now called {name}" if event.type in RENAMED else "",
        "url": f"found at {changed.get('url')}",
        "source": f"found in: {changed.get('source')}",
        "public": _PUBLIC.get(changed.get("public", ""), ""),
        "acted": _ACTED.get(changed.get("acted", ""), ""),
        "on_anomaly": f"chosen: {labels.POLICIES.get(changed.get('on_anomaly', ''), ('',))[0]}",
        "scopes": f"scopes: {changed.get('scopes')}",
        "successor": "replaced by a new key",
        "ends_at": f"works until {_moment(changed, 'ends_at')}",
        "webhook": name or changed.get("webhook", ""),
        "host": changed.get("host", ""),
        "because": _BECAUSE.get(changed.get("because", ""), ""),
        "application": name or changed.get("application", ""),
        "tier": f"tier: {labels.TIERS.get(changed.get('tier', ''), changed.get('tier'))}",
        "status": f"status: {changed.get('status')}",
        "admin": f"administrator: {changed.get('admin')}",
        "used": f"{changed.get('used')} of {changed.get('quota')} requests of the hour",
        "resets_at": f"full again at {_moment(changed, 'resets_at')}",
        "networks": f"new networks: {changed.get('networks')}",
        "known": f"known until then: {changed.get('known')}",
        "requests": f"{changed.get('requests')} requests in an hour, usually {changed.get('usual')}",
        "denials": f"{changed.get('denials')} in an hour, at most {changed.get('most_before')} before",
        "refusals": f"{changed.get('refusals')} in an hour, at most {changed.get('most_before')} before",
        "hour": f"in the hour that began at {_moment(changed, 'hour')}",
    }
    return [text for field, text in details.items() if field in changed and text]


def _moment(changed: dict[str, str], field: str) -> str:
    return changed.get(field, "")[:16].replace("T", " ") + " UTC"


_WHO = {
    actors.OPERATOR: "The operator of this API",
    actors.ADMIN: "An administrator",
    actors.STRANGER: "Not signed in",
    actors.WATCH: "System",
    notable.LATCHKEY: "System",
}
_WHAT = {"ses": "Another session", "key": "An API key", "tok": "An application", "app": "The application"}


def _who(actor: str) -> str:
    return _WHO.get(actor) or _WHAT.get(actor[:3], actor)
