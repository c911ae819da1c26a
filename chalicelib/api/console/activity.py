"""Settings > Activity: what happened to the account, by whom and from where, the newest first."""

from dataclasses import dataclass

from chalicelib.api.console.frame import Shown, Visit
from chalicelib.core import ids, settings
from chalicelib.credentials import find
from chalicelib.events import actors, kinds, record
from chalicelib.events.tables import Event

SHOWN = 50


@dataclass(frozen=True, slots=True)
class Row:
    """An event as the list shows it."""

    event: Event
    what: str
    facts: list[tuple[str, str]]
    actor: str


def show_activity(visit: Visit) -> Shown:
    """Show a page of events, and a way to older ones."""
    account, before = visit.person.account, visit.query.get("before", "")
    # What is no id of an event is the first page: a link that was cut needs no error.
    before = before if ids.is_id(before, "evt") else ""
    found = list(record.newest_first(account.id, SHOWN + 1, before=before))
    named = {key.id: key.name for key in find.keys_of(account.id)} | {visit.person.session.id: "this session"}
    rows = [_row(event, named) for event in found[:SHOWN]]
    older = rows[-1].event.id if len(found) > SHOWN else None
    return Shown(
        "activity",
        {
            "rows": rows,
            "older": older,
            "before": before,
            "kept_days": settings.current().events_kept_days,
        },
    )


def _row(event: Event, named: dict[str, str]) -> Row:
    facts = [(name, named.get(value, value)) for name, value in event.changed.as_dict().items() if name != "session"]
    return Row(event, kinds.WORDS.get(event.type, event.type), facts, _who(event.actor, named))


def _who(actor: str, named: dict[str, str]) -> str:
    if actor in named:
        return named[actor]
    if actor == actors.OPERATOR or actor.startswith("acc_"):
        return "the owner of this API"
    if actor == actors.STRANGER:
        return "someone not logged in"
    return {"ses": "a session", "key": "an API key", "tok": "an application"}.get(actor[:3], actor)
