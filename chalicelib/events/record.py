"""Recording an event: in the same transaction as the change it tells of, so that neither stands without the other."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from chalicelib.core import clock, ids, settings
from chalicelib.core.dynamodb import models
from chalicelib.events import actors, kinds
from chalicelib.events.tables import Event

LAST_ID = "evt_~"
PAGE = 1_000
"""So many events are looked at by one call that looks for those of one type."""
PAGES = 5
"""So many calls one look back makes."""


def add_to(
    write: models.Transaction,
    account_id: str,
    kind: str,
    changed: dict[str, str],
    *,
    actor: str = "",
    reason: str | None = None,
) -> None:
    """Add to a transaction: `kind` happened to an account.

    `changed` says what in words and ids, never a secret; `actor` did it, or else whoever acts now, for `reason` or for
    the one that is given with it. The account is shown both only where it acted itself (`shown`).
    """
    if kind not in kinds.WORDS:
        raise ValueError(f"{kind} is no type of event.")
    acting, now_ms = actors.current(), clock.now_ms()
    actor, reason = actor or acting.id, reason or acting.reason or None
    event = Event(
        account_id,
        ids.new("evt"),
        type=kind,
        at=now_ms,
        actor=actor,
        source_ip=acting.ip or None,
        reason=reason,
        seen_as=_other_role(kind, actor, reason) or _other_account(acting, account_id, kind, changed),
        changed=changed,
        dies_at=now_ms // 1000 + settings.current().events_kept_s,
    )
    write.save(event, condition=Event.id.does_not_exist())


def newest_first(account_id: str, limit: int, *, before: str = "", kind: str = "") -> list[Event]:
    """Return what happened to an account, the newest first, as far back as `look_back` goes."""
    return look_back(account_id, limit, before=before, kind=kind)[0]


def look_back(account_id: str, limit: int, *, before: str = "", kind: str = "") -> tuple[list[Event], str]:
    """Return up to `limit` events, the newest first, and the id up to which was looked, "" where nothing is left.

    They lie beyond the id `before` and, where `kind` is named, are of that type only. DynamoDB reads whatever happened
    to find those, so no more than `PAGES` pages are read: what comes back then may be less than there is.
    """
    # DynamoDB deletes what is over when it finds the time.
    lives = Event.dies_at > clock.now_s()
    # Ids sort by time.
    pages = Event.query(
        account_id,
        Event.id < (before or LAST_ID),
        lives & (Event.type == kind) if kind else lives,
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
    """Return what happened to an account beyond the id `after`, in order."""
    yield from Event.query(account_id, Event.id > after, Event.dies_at > clock.now_s())


def seen_as(event: Event) -> str | None:
    """Return whom the account is shown instead of the actor; None where it may see who acted, from where and why."""
    return event.seen_as or _other_role(event.type, event.actor, event.reason)


def shown(event: Event) -> dict[str, Any]:
    """Return an event as the account that it happened to sees it, in the API and in its webhooks.

    Of somebody else it is shown the role only: not who it was, from where, or for what reason.
    """
    instead = seen_as(event)
    return shown_whole(event) if instead is None else {**shown_whole(event), **_role_only(instead)}


def redacted(data: dict[str, Any]) -> dict[str, Any]:
    """Return what `shown` made of an event, before it left anything out, with that left out."""
    instead = _other_role(str(data.get("type")), str(data.get("actor")), data.get("reason"))
    return data if instead is None else {**data, **_role_only(instead)}


def shown_whole(event: Event) -> dict[str, Any]:
    """Return an event as administrators see it."""
    return {
        "id": event.id,
        "type": event.type,
        "created_at": clock.iso(event.at),
        "actor": event.actor,
        "source_ip": event.source_ip,
        "changed": event.changed.as_dict(),
        "reason": event.reason,
    }


def _other_role(kind: str, actor: str, reason: str | None) -> str | None:
    """Return the role that an account is shown for what the operator or an administrator did to it, else None.

    By who acted, whatever was done and whatever was stored of it: the operator acts as such, an administrator as the
    account that they are, and nobody else gives a reason. Some types are nobody else's to begin with.
    """
    if actor in (actors.OPERATOR, actors.ADMIN):
        return actor
    if reason or actor.startswith("acc_"):
        return actors.ADMIN
    if kind not in kinds.BY_OTHERS or actor == actors.STRANGER:
        return None
    return actor if actor == actors.WATCH else actors.ADMIN


def _other_account(acting: actors.Actor, account_id: str, kind: str, changed: dict[str, str]) -> str | None:
    """Return whom an account is shown for what somebody else's account did to it, else None."""
    if acting.account_id in ("", account_id):
        return None
    if kind in kinds.BY_AN_APPLICATION:
        # Whoever registered an application may delete it, which ends what others allowed it.
        return changed.get("application", actors.ADMIN)
    return actors.ADMIN


def _role_only(instead: str) -> dict[str, Any]:
    return {"actor": instead, "source_ip": None, "reason": None}
