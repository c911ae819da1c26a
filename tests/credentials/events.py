"""Read the events that were recorded for an account."""

from chalicelib.events import kinds, record

Told = tuple[str, dict[str, str]]


def recorded_events(account_id: str, *, but: int = 0) -> list[Told]:
    """Return type and details of an account's events, oldest first, without the first `but` events."""
    events = sorted(record.since(account_id, "evt_"), key=lambda event: (event.at, event.type))
    return [(each.type, each.changed.as_dict()) for each in events if each.type != kinds.ACCOUNT_CREATED][but:]
