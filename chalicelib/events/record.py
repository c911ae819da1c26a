"""Record and read the events of an account or a user.

An event is written in the same transaction as the change that it describes.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from chalicelib.core import clock, ids, settings
from chalicelib.core.dynamodb import batch_write, models
from chalicelib.events import actors, kinds
from chalicelib.events.tables import Event

LAST_ID = "evt_~"
PAGE = 1_000
"""The number of events that one query reads when it filters by type."""
PAGES = 5
"""The maximum number of queries that one call of `read_page` makes."""


def add_to(
    write: models.Transaction,
    subject_id: str,
    kind: str,
    changed: dict[str, str],
    *,
    actor: str = "",
    reason: str | None = None,
) -> None:
    """Add an event of type `kind` for an account, or for a user, to a transaction.

    `changed` describes the change with labels and ids, never with a secret. `actor` and `reason` default to those of
    the current actor. If somebody other than the account acts, the account sees neither (see `render`).
    """
    kinds.check_subject(kind, subject_id)
    acting, now_ms = actors.current(), clock.now_ms()
    actor, reason = actor or acting.id, reason or acting.reason or None
    event = Event(
        subject_id,
        ids.new("evt"),
        type=kind,
        at=now_ms,
        actor=actor,
        user_id=acting.user_id or None,
        source_ip=acting.ip or None,
        reason=reason,
        seen_as=_other_role(kind, actor, reason) or _other_account(acting, subject_id, kind, changed),
        changed=changed,
        dies_at=now_ms // 1000 + settings.current().events_kept_s,
    )
    write.save(event, condition=Event.id.does_not_exist())


def derive(
    account_id: str, kind: str, changed: dict[str, str], *, of: str, at_ms: int, seen_as: str | None = None
) -> Event:
    """Return an event, without storing it, whose id is derived from the id `of` its subject and the time.

    Storing it again changes nothing. It is for changes that need no invalidation mark (see `Event.needs_no_mark`).
    `seen_as` is what the account sees instead of the actor.
    """
    return Event(
        account_id,
        ids.derive("evt", at_ms, f"{kind} {of}"),
        type=kind,
        at=at_ms,
        actor=actors.SYSTEM,
        seen_as=seen_as,
        changed=changed,
        needs_no_mark=True,
        dies_at=at_ms // 1000 + settings.current().events_kept_s,
    )


def store(derived: list[Event]) -> None:
    """Store events from `derive`, outside a transaction."""
    batch_write.put_all(derived)


def newest_first(account_id: str, limit: int, *, before: str = "", kind: str = "") -> list[Event]:
    """Return the events of an account, newest first. Very old events may be missing (see `read_page`)."""
    return read_page(account_id, limit, before=before, kind=kind)[0]


def read_page(account_id: str, limit: int, *, before: str = "", kind: str = "") -> tuple[list[Event], str]:
    """Return up to `limit` events, newest first, and the id at which the next page starts ("" at the end).

    Only events older than the id `before` are returned, and if `kind` is given, only those of this type. To filter by
    type, DynamoDB reads every event. Therefore at most `PAGES` queries are made, and the page may contain fewer events
    than exist.
    """
    # DynamoDB deletes expired items late, so expired events are filtered out.
    is_kept = Event.dies_at > clock.now_s()
    # Ids sort by time.
    pages = Event.query(
        account_id,
        Event.id < (before or LAST_ID),
        is_kept & (Event.type == kind) if kind else is_kept,
        scan_index_forward=False,
        page_size=PAGE if kind else limit,
    ).page_iter
    found: list[Event] = []
    for page in islice(pages, PAGES):
        found += [Event.from_raw_data(item) for item in page["Items"]]
        if len(found) >= limit:
            return found[:limit], found[limit - 1].id
    end = pages.last_evaluated_key
    return found, end["id"]["S"] if end else ""


def since(account_id: str, after: str) -> Iterator[Event]:
    """Yield the events of an account whose id is greater than `after`, oldest first."""
    yield from Event.query(account_id, Event.id > after, Event.dies_at > clock.now_s())


def seen_as(event: Event) -> str | None:
    """Return the role that the account sees instead of the actor. None means that it sees the actor itself."""
    return event.seen_as or _other_role(event.type, event.actor, event.reason)


def render(event: Event) -> dict[str, Any]:
    """Return an event as the account sees it in the API and in webhooks.

    If somebody other than the account acted, such as an administrator, the event names only the actor's role, and omits
    the actor's id, user, IP address and reason.
    """
    instead = seen_as(event)
    return render_unredacted(event) if instead is None else {**render_unredacted(event), **_role_only(instead)}


def redacted(data: dict[str, Any]) -> dict[str, Any]:
    """Redact the result of `render_unredacted` in the same way as `render` does."""
    instead = _other_role(str(data.get("type")), str(data.get("actor")), data.get("reason"))
    return data if instead is None else {**data, **_role_only(instead)}


def render_unredacted(event: Event) -> dict[str, Any]:
    """Return an event as administrators see it."""
    return {
        "id": event.id,
        "type": event.type,
        "created_at": clock.iso(event.at),
        "actor": event.actor,
        "user_id": event.user_id,
        "source_ip": event.source_ip,
        "changed": event.changed.as_dict(),
        "reason": event.reason,
    }


def _other_role(kind: str, actor: str, reason: str | None) -> str | None:
    """Return the role that an account sees if the operator or an administrator acted, else None.

    The operator has a fixed id. An administrator acts under a user id, and only administrators and the operator
    give reasons. Event types that an account never causes itself are attributed to an administrator, unless detection
    or an anonymous caller caused them.
    """
    if actor in (actors.OPERATOR, actors.ADMIN):
        return actor
    if reason or actor.startswith("usr_"):
        return actors.ADMIN
    if kind not in kinds.NEVER_BY_ACCOUNT or actor == actors.ANONYMOUS:
        return None
    return actor if actor == actors.DETECTION else actors.ADMIN


def _other_account(acting: actors.Actor, subject_id: str, kind: str, changed: dict[str, str]) -> str | None:
    """Return what an account sees instead of the actor if another account acted, else None."""
    if acting.account_id in ("", subject_id) or acting.user_id == subject_id:
        return None
    if kind in kinds.BY_CLIENT_DELETION:
        # When a client is deleted, the grants that other accounts gave to it are revoked.
        return changed.get("application", actors.ADMIN)
    return actors.ADMIN


def _role_only(instead: str) -> dict[str, Any]:
    return {"actor": instead, "user_id": None, "source_ip": None, "reason": None}
