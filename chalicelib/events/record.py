"""Recording an event: in the same transaction as the change it tells of, so that neither stands without the other."""

from collections.abc import Iterator

from chalicelib.core import clock, ids, tables
from chalicelib.events.tables import Event

KEPT_S = 90 * 24 * clock.HOUR_S


def add_to(
    write: tables.Transaction,
    account_id: str,
    kind: str,
    *,
    actor: str,
    changed: dict[str, str],
    reason: str | None = None,
) -> None:
    """Add to a transaction: `kind` happened to an account, by `actor` (an account's or credential's id)."""
    event = Event(
        account_id,
        ids.new("evt"),
        type=kind,
        at=clock.now_ms(),
        actor=actor,
        reason=reason,
        changed=changed,
        dies_at=clock.now_s() + KEPT_S,
    )
    write.save(event, condition=Event.id.does_not_exist())


def newest_first(account_id: str, limit: int) -> Iterator[Event]:
    """Return what happened to an account, the newest first."""
    yield from Event.query(account_id, scan_index_forward=False, limit=limit)
