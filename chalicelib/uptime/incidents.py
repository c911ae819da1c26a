"""Incidents on the public status page: an operator opens, updates and closes them. Published updates never change."""

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib.core import clock, errors, ids
from chalicelib.core.dynamodb import models
from chalicelib.uptime.states import INVESTIGATING, RESOLVED
from chalicelib.uptime.tables import Status, Update

INCIDENT = "incident"
INCIDENTS_SHOWN = 30


def open_incident(title: str, text: str, components: list[str], state: str = INVESTIGATING) -> Status:
    """Open an incident."""
    now_ms = clock.now_ms()
    incident = Status(
        INCIDENT,
        ids.new("inc"),
        title=title,
        components=set(components) or None,
        opened_at=now_ms,
        updates=[_update(state, text, now_ms)],
    )
    incident.save(condition=Status.at.does_not_exist())
    return incident


def update(incident_id: str, text: str, state: str) -> Status:
    """Add an update to an incident. The state `resolved` closes the incident.

    If two updates are added concurrently, both are stored. Raises Conflict when the incident is closed or does not
    exist.
    """
    now_ms = clock.now_ms()
    actions: list[Action] = [Status.updates.set(Status.updates.append([_update(state, text, now_ms)]))]
    if state == RESOLVED:
        actions.append(Status.closed_at.set(now_ms))
    incident = Status(INCIDENT, incident_id)
    condition: Condition = Status.opened_at.exists() & Status.closed_at.does_not_exist()
    closed = errors.Conflict("No open incident has this id: it is closed already or was never opened.")
    with models.raise_on_condition_failure(closed):
        incident.update(actions=actions, condition=condition)
    return incident


def newest_first() -> list[Status]:
    """Return the newest incidents."""
    return list(Status.query(INCIDENT, scan_index_forward=False, limit=INCIDENTS_SHOWN))


def _update(state: str, text: str, now_ms: int) -> Update:
    return Update(at=now_ms, state=state, text=text)  # type: ignore[no-untyped-call]  # pynamodb's own
