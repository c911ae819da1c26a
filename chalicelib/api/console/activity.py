"""Settings > Activity and Settings > Profile > Activity: the events of the account, or of the user, newest first.

Only administrators see the IP address and the reason of an administrator's action.
"""

from dataclasses import dataclass

from chalicelib.accounts import members
from chalicelib.api.console.outcomes import Render
from chalicelib.api.console.page_request import PageRequest
from chalicelib.core import ids, settings
from chalicelib.credentials import find
from chalicelib.events import actors, kinds, notable, record
from chalicelib.events.tables import Event
from chalicelib.pages import labels

PAGE_SIZE = 50
RENAMED = (kinds.ACCOUNT_RENAMED, kinds.USER_RENAMED, kinds.KEY_RENAMED)

_BECAUSE = {"gone": "server responded with 410", "failing": "failed for 24 hours"}
_PUBLIC = {"yes": "found in public", "no": "not found in public"}
_ACTED = {"told": "nothing changed", "narrowed": "reduced to Read", "revoked": "revoked"}


@dataclass(frozen=True, slots=True)
class Row:
    """An event as a row of the list."""

    at: int
    id: str
    event: str
    details: list[str]
    actor: str
    source_ip: str | None
    reason: str | None


def show_activity(request: PageRequest) -> Render:
    """Show a page of the account's events, with a link to older ones."""
    named = {key.id: key.name for key in find.keys_of(request.account.id)}
    return _render(request, request.account.id, named, path="/settings/activity")


def show_own_activity(request: PageRequest) -> Render:
    """Show a page of the user's own events, such as log-ins, with a link to older ones."""
    return _render(request, request.user.user.id, {}, path="/settings/profile/activity")


def _render(request: PageRequest, subject_id: str, named: dict[str, str], *, path: str) -> Render:
    before = request.query.get("before", "")
    # A malformed id, such as that of a truncated link, shows the first page instead of an error.
    before = before if ids.is_id(before, "evt") else ""
    found = record.newest_first(subject_id, PAGE_SIZE + 1, before=before)
    own = request.user.user
    named |= {request.user.session.id: "You (this browser)"}
    of_user = subject_id == own.id
    known = {} if of_user else members.users_of(request.account, users_in(found))
    users = {user_id: user.name for user_id, user in known.items()} | {own.id: "You"}
    whole = own.admin
    rows = [row(event, named, users, whole=whole) for event in found[:PAGE_SIZE]]
    older = rows[-1].id if len(found) > PAGE_SIZE else None
    return Render(
        "activity",
        {
            "rows": rows,
            "path": path,
            "of_user": of_user,
            "older": older,
            "before": before,
            "kept_days": settings.current().events_kept_days,
        },
    )


def users_in(events: list[Event]) -> set[str]:
    """Return the ids of the users who caused events or whom they are about."""
    found = {user_id for each in events for user_id in (each.user_id, each.changed.as_dict().get("user"))}
    return {user_id for user_id in found if ids.is_id(user_id or "", "usr")}


def row(event: Event, named: dict[str, str], users: dict[str, str], *, whole: bool) -> Row:
    """Return the event as a row of the list. `users` are names by user id.

    If `whole`, the row contains every field, which only administrators may see. Otherwise it omits the fields that are
    hidden from the account.
    """
    shown = record.render_unredacted(event) if whole else record.render(event)
    return Row(
        event.at,
        event.id,
        kinds.LABELS.get(event.type, event.type),
        _details(event, named, users),
        _who(named.get(shown["actor"]) or _actor(shown["actor"]), shown["user_id"], users),
        shown["source_ip"],
        shown["reason"],
    )


def _details(event: Event, named: dict[str, str], users: dict[str, str]) -> list[str]:
    """Return the changed fields as text. A key is shown under its current name or, if it no longer exists, its recorded
    name.
    """
    changed: dict[str, str] = event.changed.as_dict()
    key = changed.get("key", "")
    name = changed.get("name")
    details = {
        "key": named.get(key, name or key),
        "token": f"access token {changed.get('token')}" + (f" of {name}" if name else ""),
        "name": f"renamed to {name}" if event.type in RENAMED else "",
        "url": f"URL: {changed.get('url')}",
        "source": f"source: {changed.get('source')}",
        "public": _PUBLIC.get(changed.get("public", ""), ""),
        "acted": _ACTED.get(changed.get("acted", ""), ""),
        "on_anomaly": f"response: {labels.POLICIES.get(changed.get('on_anomaly', ''), ('',))[0]}",
        "scopes": f"scopes: {changed.get('scopes')}",
        "successor": "replaced by a new key",
        "ends_at": f"works until {_moment(changed, 'ends_at')}",
        "webhook": name or changed.get("webhook", ""),
        "host": changed.get("host", ""),
        "because": _BECAUSE.get(changed.get("because", ""), ""),
        "application": name or changed.get("application", ""),
        "tier": f"tier: {labels.TIERS.get(changed.get('tier', ''), changed.get('tier'))}",
        "status": f"status: {changed.get('status')}",
        "role": f"role: {labels.ROLES.get(changed.get('role', ''), ('',))[0]}",
        "user": users.get(changed.get("user", ""), f"former member {changed.get('user')}"),
        "admin": f"administrator: {changed.get('admin')}",
        "used": f"{changed.get('used')} of {changed.get('quota')} requests this hour",
        "resets_at": f"resets at {_moment(changed, 'resets_at')}",
        "networks": f"new networks: {changed.get('networks')}",
        "known": f"earlier networks: {changed.get('known')}",
        "requests": f"{changed.get('requests')} requests in an hour, usually {changed.get('usual')}",
        "denials": f"{changed.get('denials')} in an hour, previous maximum {changed.get('most_before')}",
        "refusals": f"{changed.get('refusals')} in an hour, previous maximum {changed.get('most_before')}",
        "hour": f"in the hour from {_moment(changed, 'hour')}",
    }
    return [text for field, text in details.items() if field in changed and text]


def _moment(changed: dict[str, str], field: str) -> str:
    return changed.get(field, "")[:16].replace("T", " ") + " UTC"


_ACTORS = {
    actors.OPERATOR: "The operator of this API",
    actors.ADMIN: "An administrator",
    actors.ANONYMOUS: "Not signed in",
    actors.DETECTION: "System",
    notable.SYSTEM: "System",
}
_KINDS_OF_ACTORS = {"ses": "Another session", "key": "An API key", "tok": "An application", "app": "The application"}


def _actor(actor: str) -> str:
    return _ACTORS.get(actor) or _KINDS_OF_ACTORS.get(actor[:3], actor)


def _who(actor: str, user_id: str | None, users: dict[str, str]) -> str:
    """Return the actor with the name of its user. A session is called by its user alone."""
    if user_id is None or actor.startswith(("You", "usr_")):
        return actor
    user = users.get(user_id, "A former member")
    return user if actor == _KINDS_OF_ACTORS["ses"] and user != "You" else f"{user} ({actor[:1].lower()}{actor[1:]})"
